#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"

namespace poise {
inline namespace solve {

/// The Perron vector p of weights W whose columns are nonnegative and sum to γ: Wp = γp, 1ᵀp = 1. Its span is
/// the slow mode of every sample, which it corrects in O(m) operations (THEORY.md 7.6): with d_n = Σ_i a'_i
/// p_i of sample n,
///   (I − S W)⁻¹ ≈ I + c_n p 1ᵀ,   c_n = 1/(1 − γ d_n) − 1,
/// whose transpose serves the adjoint.
class PerronVector {
 public:
  /// `weights` must outlive this object. `column_sum`: γ; 0 if the weights have no such vector.
  PerronVector(const RowBlockMatrix& weights, double column_sum);

  [[nodiscard]] bool exists() const { return gamma_ > 0.0; }
  /// Call this when the weights have changed; the next vector is computed from the present one.
  void invalidate() { valid_ = false; }
  /// The next vector depends on the weights alone, not on the present vector.
  void forget();
  /// Computes the vector if the weights have changed, by a few products with one column; then collective on
  /// the communicator of the weights. The vector is inexact if the second eigenvalue is close to γ; the
  /// correction is then less effective, but not wrong.
  void update();
  /// Local rows; after `update`.
  [[nodiscard]] const double* entries() const { return entries_.data(); }
  /// c_n of a sample with d_n = `mean_slope`.
  [[nodiscard]] double factor(double mean_slope) const { return 1.0 / (1.0 - gamma_ * mean_slope) - 1.0; }
  /// Collective. out = (I + c_n p 1ᵀ) v, or with the transpose, for p columns; slopes: null for a linear map.
  void correct(Index p, const double* slopes, bool transposed, const double* v, double* out);

 private:
  const RowBlockMatrix& weights_;
  double gamma_;
  bool valid_ = false;
  std::vector<double> entries_, image_, sums_;
};

/// Collective on the communicator of the matrix. A lower estimate of ‖W‖₂ by a few power iterations.
[[nodiscard]] double estimated_norm(const RowBlockMatrix& weights);

/// The mean-field linearisation of a pointwise map h(z) = a(Wz + u): J̄ = D̄W with D̄ = diag(d), where d is the
/// mean slope of some samples: one matrix for all samples. Solvers need K = W (I − D̄W)⁻¹, a matrix of the
/// shape of W: (I − D̄W)⁻¹ = I + D̄K, with the transpose I + KᵀD̄, and one step of an iteration that is
/// preconditioned with it costs one product (see MeanFieldIteration). For a linear map the inverse is exact.
/// This class also holds the Perron vector of softmax weights, which corrects only the slow mode.
class MeanField {
 public:
  /// `weights` must outlive this object. `column_sum`: see PointwiseForm; for the Perron vector.
  explicit MeanField(const RowBlockMatrix& weights, double column_sum = 0.0);

  /// Collective on the communicator of the weights. Computes K for the mean slopes d (local rows). Takes one
  /// LU factorisation of an m x m matrix, which every rank holds meanwhile. Throws failure if I − D̄W is
  /// singular.
  void update(const double* d);
  /// Collective. As `update`, but if I − D̄W is singular, sets D̄ = 0 and K = W. Iterations are then plain
  /// iterations, and find out whether there is a solution.
  void update_or_plain(const double* d);
  /// Call this when the weights have changed: K and the Perron vector are then out of date.
  void invalidate() {
    valid_ = false;
    perron_.invalidate();
  }
  [[nodiscard]] bool valid() const { return valid_; }

  /// Call its own `update` before use.
  [[nodiscard]] PerronVector& perron() { return perron_; }

  /// d: local rows.
  [[nodiscard]] const double* slopes() const { return slopes_.data(); }
  [[nodiscard]] const RowBlockMatrix& matrix() const { return k_; }
  [[nodiscard]] const RowBlockMatrix& weights() const { return weights_; }
  /// estimated_norm of the weights. Iterations stop by it, but their results are never judged by it.
  [[nodiscard]] double weight_norm() const { return weight_norm_; }

  /// Collective. out = (I − D̄W)⁻¹ v, or with the transpose, for p columns (local rows x p); v and out must
  /// not overlap.
  void solve(Index p, const double* v, double* out) const;
  void solve_transpose(Index p, const double* v, double* out) const;

  /// Not collective. Allows products in single precision (-eq_float32), for which a copy of K is kept. Does
  /// nothing if the rows of the weights are distributed over several ranks.
  void allow_single();
  /// Collective. out = K x or Kᵀ x for p columns. `single`: in single precision, if it is allowed, with a
  /// relative error of about 1e-7; an iteration may use it while its residual is far above this error.
  void multiply(Index p, const double* x, double* out, bool single) const;
  void multiply_transpose(Index p, const double* x, double* out, bool single) const;
  /// How many columns K or Kᵀ have multiplied so far, in both precisions.
  [[nodiscard]] Index columns_multiplied() const { return k_.columns_multiplied() + single_columns_; }
  [[nodiscard]] Index single_columns_multiplied() const { return single_columns_; }

  /// Whether K pays off for `samples` samples per rank: whether it costs no more than a few products with all
  /// of them.
  [[nodiscard]] static bool affordable(const RowBlockMatrix& weights, Index samples);

 private:
  /// Returns false, on all ranks, if the matrix is singular: all ranks factorise the same matrix.
  [[nodiscard]] bool factorise(const double* d);
  const RowBlockMatrix& weights_;
  RowBlockMatrix k_;
  PerronVector perron_;
  std::vector<double> slopes_, factors_, all_slopes_;
  std::vector<int> pivots_;
  mutable std::vector<double> scaled_;
  void multiply_single(char transposed, Index p, const double* x, double* out) const;

  bool single_allowed_ = false;
  std::vector<float> single_;  // K
  mutable std::vector<float> single_x_, single_out_;
  mutable Index single_columns_ = 0;
  double weight_norm_ = 1.0;
  bool valid_ = false;
};

}  // namespace solve
}  // namespace poise
