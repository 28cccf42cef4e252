#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace theory {

/// The singular value decomposition R₁ = L Σ Vᵀ of the triangle of the features (TriangularFactor), so that Σ
/// and V are also the factors of Φᵀ, or of (Φ diag(√ω))ᵀ. The error of every σ is at most `rounding()`, about
/// ε times the largest σ. So the singular value of a feature with a small scale is accurate; as an eigenvalue
/// σ² of ΦΦᵀ it would be lost below √ε times the largest. Holds the m_r x m singular vectors of both sides.
class FeatureSvd {
 public:
  /// Collective. Decomposes R₁ by SLEPc with m³ operations: by LAPACK on every rank, above
  /// `distributed_width` by ScaLAPACK (if SLEPc was built without it: by LAPACK, with a warning). σ up to
  /// `relative_cut` times the largest count as 0; the default 0 stands for 8 m ε, the rounding of a zero.
  /// Throws bad_input if R₁ is zero, failure if it holds NaN or Inf or the solver fails.
  explicit FeatureSvd(const RowBlockMatrix& triangle, double relative_cut = 0.0);

  /// Triangles up to this width are decomposed on every rank.
  static constexpr Index distributed_width = 1536;

  /// The rank of Φ: the number of σ that do not count as 0.
  [[nodiscard]] Index rank() const { return rank_; }
  [[nodiscard]] double largest() const { return values_.front(); }
  /// σ_r, the smallest σ that does not count as 0.
  [[nodiscard]] double smallest() const { return values_[static_cast<std::size_t>(rank_ - 1)]; }
  /// σ up to this count as 0.
  [[nodiscard]] double cut() const { return cut_; }
  /// Largest rounding error of any σ: 8 m ε times the largest.
  [[nodiscard]] double rounding() const;
  /// (σ − rounding)², a lower bound of the exact σ².
  [[nodiscard]] double safe_square(double sigma) const;
  /// All m singular values, descending, on every rank.
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  /// V: column r belongs to value r.
  [[nodiscard]] const RowBlockMatrix& right() const { return right_; }
  /// Collective. x = V f(Σ) Vᵀ x on the σ that do not count as 0, f = 1/σ²: the pseudo-inverse of ΦΦᵀ. m_r x
  /// `columns`.
  void apply_gram_inverse(Index columns, double* x) const;
  /// Collective. x = V Σ⁺ Lᵀ x: the pseudo-inverse of R₁. m_r x `columns`.
  void apply_pseudo_inverse(Index columns, double* x) const;
  /// Collective. Replaces x by its part outside the span of the first `rank()` columns of V, on which no
  /// output of a sample depends.
  void remove_seen_part(Index columns, double* x) const;
  /// Collective. Squared norm of the part of x outside the span of the first `rank()` columns of L: the part
  /// of targets x that no W can fit.
  [[nodiscard]] double unreachable_norm2(Index columns, const double* x) const;

 private:
  void decompose(const RowBlockMatrix& triangle);
  void remove_span(const RowBlockMatrix& vectors, Index columns, double* x) const;
  /// coordinates_ = factor (vectorsᵀx)_r, where `factor` gets σ_r and whether it does not count as 0.
  template <class Factor>
  void take_coordinates(const RowBlockMatrix& vectors, Index columns, const double* x, Factor factor) const;

  RowBlockMatrix left_, right_;
  std::vector<double> values_;
  Index rank_ = 0;
  double cut_ = 0.0;
  mutable std::vector<double> coordinates_;
};

/// The singular values of Φ (d x n) that enter bounds.
struct FeatureSpectrum {
  double largest = 0.0;
  double smallest = 0.0;  ///< smallest nonzero σ, σ_r of THEORY.md 5.2
  double cut = 0.0;       ///< σ up to this count as 0: 8 d ε σ_max
  Index rank = 0, width = 0;
  [[nodiscard]] double condition() const { return largest / smallest; }
};

/// Collective on the world. `width`: d, the number of features with the constant. Factorises Φ over all ranks
/// and decomposes the triangle by FeatureSvd; throws as FeatureSvd does.
[[nodiscard]] FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width,
                                               const SampleSet& samples);

/// Norms of the columns φ_i of Φ of this rank's samples, the same on the ranks of grid.feature().
struct FeatureNorms {
  std::vector<double> one;   ///< ‖φ_i‖₁
  std::vector<double> two;   ///< ‖φ_i‖₂
  double largest_one = 0.0;  ///< over the samples of all ranks
  double largest_two = 0.0;
};
/// Collective on the world. The norms of the samples' features.
[[nodiscard]] FeatureNorms feature_norms(const ParameterLayout& layout, const SampleSet& samples);

}  // namespace theory
}  // namespace poise
