#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise {

/// The singular value decomposition R₁ = L Σ Vᵀ of the triangle of the features (TriangularFactor), so that Σ
/// and V are those of Φᵀ, or of (Φ diag(√ω))ᵀ. σ is right to `rounding()`, a share ε of the largest: a weakly
/// scaled feature keeps its singular value where an eigenvalue of ΦΦᵀ, σ², drowns below √ε. Holds the m_r x m
/// vectors of both sides.
class FeatureSvd {
 public:
  /// Collective. Decomposes R₁ by SLEPc: redundantly by LAPACK, beyond `distributed_width` by ScaLAPACK (if
  /// SLEPc has it; else by LAPACK with a warning), with m³ work. σ up to `relative_cut` times the largest
  /// count as 0; the default 0 means 8 m ε, what rounding leaves of a zero. Throws bad_input if R₁ is zero,
  /// failure if it holds NaN or Inf or the solver fails.
  explicit FeatureSvd(const RowBlockMatrix& triangle, double relative_cut = 0.0);

  /// Narrower triangles are decomposed by every rank.
  static constexpr Index distributed_width = 1536;

  /// How many σ count: the rank of Φ.
  [[nodiscard]] Index rank() const { return rank_; }
  [[nodiscard]] double largest() const { return values_.front(); }
  /// σ_r, the smallest one that counts.
  [[nodiscard]] double smallest() const { return values_[static_cast<std::size_t>(rank_ - 1)]; }
  /// σ up to this count as 0.
  [[nodiscard]] double cut() const { return cut_; }
  /// What rounding can have done to any σ: 8 m ε times the largest.
  [[nodiscard]] double rounding() const;
  /// (σ − rounding)², the least that σ² can be.
  [[nodiscard]] double safe_square(double sigma) const;
  /// All m, descending, on every rank.
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  /// V: column r belongs to value r.
  [[nodiscard]] const RowBlockMatrix& right() const { return right_; }
  /// Collective. x = V f(Σ) Vᵀ x on the σ that count, f = 1/σ²: the pseudo-inverse of ΦΦᵀ. m_r x `columns`.
  void apply_gram_inverse(Index columns, double* x) const;
  /// Collective. x = V Σ⁺ Lᵀ x: the pseudo-inverse of R₁. m_r x `columns`.
  void apply_pseudo_inverse(Index columns, double* x) const;
  /// Collective. Leaves of x its part outside the span of the first `rank()` columns of V: what no sample
  /// sees.
  void remove_seen_part(Index columns, double* x) const;
  /// Collective. Squared norm of x outside the span of the first `rank()` columns of L: what no W takes from
  /// targets x.
  [[nodiscard]] double unreachable_norm2(Index columns, const double* x) const;

 private:
  void decompose(const RowBlockMatrix& triangle);
  void remove_span(const RowBlockMatrix& vectors, Index columns, double* x) const;
  /// coordinates_ = factor_r (vectorsᵀx)_r on the σ that count, 0 on the others.
  template <class Factor>
  void take_coordinates(const RowBlockMatrix& vectors, Index columns, const double* x, Factor factor) const;

  RowBlockMatrix left_, right_;
  std::vector<double> values_;
  Index rank_ = 0;
  double cut_ = 0.0;
  mutable std::vector<double> coordinates_;
};

/// The singular values of Φ (d x n) that bounds are made of.
struct FeatureSpectrum {
  double largest = 0.0;
  double smallest = 0.0;  ///< nonzero one, σ_r of THEORY.md 5.2
  double cut = 0.0;       ///< σ up to this count as 0: 8 d ε σ_max
  Index rank = 0, width = 0;
  [[nodiscard]] double condition() const { return largest / smallest; }
};

/// Collective on the world. `width`: d, features with the constant. Factorises Φ over all ranks and
/// decomposes the triangle (see FeatureSvd, which throws).
[[nodiscard]] FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width,
                                               const SampleSet& samples);

/// Norms of the columns of Φ that this rank's samples have, the same on the ranks of grid.feature().
struct FeatureNorms {
  std::vector<double> one;   ///< ‖φ_i‖₁
  std::vector<double> two;   ///< ‖φ_i‖₂
  double largest_one = 0.0;  ///< over the samples of all ranks
  double largest_two = 0.0;
};
/// Collective on the world.
[[nodiscard]] FeatureNorms feature_norms(const ParameterLayout& layout, const SampleSet& samples);

}  // namespace poise
