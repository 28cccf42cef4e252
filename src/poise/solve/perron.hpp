#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"

namespace poise {

/// The Perron vector p of weights W whose columns are nonnegative and sum to γ: Wp = γp, 1ᵀp = 1. Its span is
/// the slow mode of every sample, and (THEORY.md 7.6) corrects it for O(m): with d_n = Σ_i a'_i p_i of sample
/// n,
///   (I − S W)⁻¹ ≈ I + c_n p 1ᵀ,   c_n = 1/(1 − γ d_n) − 1,
/// whose transpose serves the adjoint.
class PerronVector {
 public:
  /// `weights` must outlive it. `column_sum`: γ; 0: the weights have no such vector.
  PerronVector(const RowBlockMatrix& weights, double column_sum);

  [[nodiscard]] bool exists() const { return gamma_ > 0.0; }
  /// To be called when the weights have changed; the vector is the start of the next one.
  void invalidate() { valid_ = false; }
  /// Collective on the communicator of the weights, if they have changed: a few products with one column.
  /// Inexact where the second eigenvalue is close to γ: then the correction is a little worse, not wrong.
  void update();
  /// Local rows; after `update`.
  [[nodiscard]] const double* entries() const { return entries_.data(); }
  /// c of a sample with Σ a'_i p_i = `mean_slope`.
  [[nodiscard]] double factor(double mean_slope) const { return 1.0 / (1.0 - gamma_ * mean_slope) - 1.0; }
  /// Collective. out = (I + c_n p 1ᵀ) v of p columns, or its transpose; slopes: null for a linear map.
  void correct(Index p, const double* slopes, bool transposed, const double* v, double* out);

 private:
  const RowBlockMatrix& weights_;
  double gamma_;
  bool valid_ = false;
  std::vector<double> entries_, image_, sums_;
};

}  // namespace poise
