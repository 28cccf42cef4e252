#pragma once

#include <vector>

#include "poise/theory/gram_spectrum.hpp"

namespace poise {

/// The convex optimum of the squared loss L₀(W) = s‖WΦ − Y‖² and the constant of theory.md 5.2, from the Gram
/// matrix C = ΦΦᵀ and E = YΦᵀ. Blocks are m_r x q as those of Wᵀ.
class LeastSquaresReference {
 public:
  /// Distance of a W from the optimum.
  struct Distance {
    double excess = 0.0;  ///< L₀(W) − L* = s tr((W − W*) C (W − W*)ᵀ): a sum of squares, never negative
    double grad_norm2 = 0.0;  ///< ‖∇L₀(W)‖_F² = 4 s² ‖(W − W*) C‖_F², at least kappa() times the excess
  };

  /// Collective. Decomposes C (ScaLAPACK, m³ work once). `gram` holds C by rows, `cross` the block of Eᵀ,
  /// `target_norm2` is ‖Y‖_F², `loss_scale` is s. Eigenvalues up to `relative_cut` times the largest count as
  /// 0; the default 0 means 16 m ε, what rounding leaves of a zero. Throws bad_input if C is zero, failure if
  /// it holds NaN or Inf or the eigensolver fails.
  LeastSquaresReference(const RowBlockMatrix& gram, const double* cross, Index outputs, double target_norm2,
                        double loss_scale, double relative_cut = 0.0);

  /// κ = 4 s σ_r(Φ)², σ_r² the smallest eigenvalue of C that counts.
  [[nodiscard]] double kappa() const { return 4.0 * loss_scale_ * smallest(); }
  /// Rank of Φ: how many eigenvalues count.
  [[nodiscard]] Index rank() const { return spectrum_.rank(); }
  [[nodiscard]] double largest() const { return spectrum_.largest(); }
  [[nodiscard]] double smallest() const { return spectrum_.smallest(); }
  /// W* = E C⁺ (minimum norm), the block of its transpose.
  [[nodiscard]] const std::vector<double>& optimum() const { return optimum_; }
  /// L* = s(‖Y‖² − 2<W*, E> + <W* C, W*>): of second order in the error of W*, but a difference, so right to
  /// `optimal_loss_rounding` only. Excesses come from `distance`, not from it.
  [[nodiscard]] double optimal_loss() const { return optimal_loss_; }
  [[nodiscard]] double optimal_loss_rounding() const { return optimal_loss_rounding_; }
  /// What errors of W and W* alone can leave as an excess, where `weight_error` is the relative error of the
  /// W that is measured (rounding times the condition of U, or the tolerance of the solve): s (σ_1² ‖W*‖²
  /// error² + (8ε)² ‖E‖²/σ_r²).
  [[nodiscard]] double excess_rounding(double weight_error) const {
    return loss_scale_ * (largest() * optimum_norm2_ * weight_error * weight_error + own_rounding_);
  }
  /// Collective. `w` is the block of Wᵀ.
  [[nodiscard]] Distance distance(const double* w) const;
  /// Collective. Leaves of `w`, a block of Wᵀ, the part W(I − ΦΦ⁺) that no training sample sees: gradient
  /// flow of L₀ keeps it, so that it ends at W* + W₀(I − ΦΦ⁺).
  void keep_unseen_part(double* w) const;

 private:
  void find_optimum(const RowBlockMatrix& gram, const double* cross, double target_norm2);

  Index outputs_;
  double loss_scale_;
  GramSpectrum spectrum_;
  double optimal_loss_ = 0.0;
  double optimal_loss_rounding_ = 0.0;
  double optimum_norm2_ = 0.0;
  double own_rounding_ = 0.0;
  std::vector<double> optimum_;
  mutable std::vector<double> difference_;
  mutable std::vector<double> coordinates_;
};

}  // namespace poise
