#pragma once

#include <vector>

#include "poise/objective/triangular_factor.hpp"
#include "poise/theory/feature_matrix.hpp"

namespace poise {
inline namespace theory {

/// The convex optimum of the squared loss L₀(W) = s‖WΦ − Y‖² and the constant of THEORY.md 5.2, from the
/// triangle of the samples. Blocks are m_r x q, like blocks of Wᵀ.
class LeastSquaresReference {
 public:
  /// Distance of a W from the optimum.
  struct Distance {
    double excess = 0.0;  ///< L₀(W) − L* = s‖(W − W*)Φ‖²: a sum of squares, never negative
    double grad_norm2 = 0.0;  ///< ‖∇L₀(W)‖_F² = 4 s² ‖(W − W*) ΦΦᵀ‖_F², at least kappa() times the excess
  };

  /// Collective. Decomposes R₁ (m³ work once). `loss_scale` is s. Singular values up to `relative_cut` times
  /// the largest count as 0; the default 0 stands for the rounding of a zero singular value, see FeatureSvd.
  /// Throws as FeatureSvd does.
  LeastSquaresReference(const TriangularFactor& factor, Index outputs, double loss_scale,
                        double relative_cut = 0.0);

  /// κ = 4 s σ_r(Φ)², σ_r the smallest singular value that does not count as 0.
  [[nodiscard]] double kappa() const { return 4.0 * loss_scale_ * svd_.smallest() * svd_.smallest(); }
  /// The singular values of Φ, and its rank.
  [[nodiscard]] const FeatureSvd& svd() const { return svd_; }
  [[nodiscard]] Index rank() const { return svd_.rank(); }
  /// W* = Y Φ⁺ (minimum norm), the block of its transpose.
  [[nodiscard]] const std::vector<double>& optimum() const { return optimum_; }
  /// L* = s (‖R₂‖² + ‖T outside the range of R₁‖²): a sum of squares with an error of at most
  /// `optimal_loss_rounding`.
  [[nodiscard]] double optimal_loss() const { return optimal_loss_; }
  /// Error of the optimal loss: the residuals have errors of ε times the targets.
  [[nodiscard]] double optimal_loss_rounding() const { return optimal_loss_rounding_; }
  /// The largest excess that comes only from errors of W and W*. `weight_error` is the relative error of the
  /// measured W (rounding times the condition number of U, or the tolerance of the solve): s (σ_1² ‖W*‖²
  /// error² + (8ε)² (σ_1² ‖W*‖² + ‖Y‖²)).
  [[nodiscard]] double excess_rounding(double weight_error) const {
    const double size = svd_.largest() * svd_.largest() * optimum_norm2_;
    return loss_scale_ * (size * weight_error * weight_error + own_rounding_);
  }
  /// Collective. `w` is the block of Wᵀ.
  [[nodiscard]] Distance distance(const double* w) const;
  /// Collective. Replaces `w`, a block of Wᵀ, by the part W(I − ΦΦ⁺), on which no output of a training sample
  /// depends. Gradient flow of L₀ does not change this part, so that the flow ends at W* + W₀(I − ΦΦ⁺).
  void keep_unseen_part(double* w) const { svd_.remove_seen_part(outputs_, w); }

 private:
  void find_optimum(const TriangularFactor& factor);

  Index outputs_;
  double loss_scale_;
  FeatureSvd svd_;
  double optimal_loss_ = 0.0;
  double optimal_loss_rounding_ = 0.0;
  double optimum_norm2_ = 0.0;
  double own_rounding_ = 0.0;
  std::vector<double> optimum_;
  mutable std::vector<double> difference_;
  mutable std::vector<double> coordinates_;
};

}  // namespace theory
}  // namespace poise
