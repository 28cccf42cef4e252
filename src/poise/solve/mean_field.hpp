#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/perron.hpp"

namespace poise {

/// Collective on the communicator of the matrix. An estimate from below of ‖W‖₂, by a few power iterations.
[[nodiscard]] double estimated_norm(const RowBlockMatrix& weights);

/// The mean-field linearisation of a pointwise map h(z) = a(Wz + u): J̄ = D̄W with D̄ = diag(d), d the mean
/// slope of some samples, one matrix for all of them. What solvers need of it is K = W (I − D̄W)⁻¹, a matrix
/// of the shape of W: then (I − D̄W)⁻¹ = I + D̄K and its transpose is I + KᵀD̄, and an iteration that is
/// preconditioned by it costs one product (see MeanFieldIteration). For a linear map it is the exact inverse.
/// With it goes the Perron vector of softmax weights, which corrects the slow mode alone.
class MeanField {
 public:
  /// `weights` must outlive it. `column_sum`: of the weights, for the Perron vector (see PointwiseForm).
  explicit MeanField(const RowBlockMatrix& weights, double column_sum = 0.0);

  /// Collective on the communicator of the weights. Computes K for the mean slopes d (local rows). One LU
  /// factorisation of an m x m matrix, which every rank holds while this runs. Throws failure if I − D̄W is
  /// singular.
  void update(const double* d);
  /// Collective. The same; where I − D̄W is singular, D̄ is 0 instead and K is W: iterations are then plain
  /// ones, and what has no solution is found out by them.
  void update_or_plain(const double* d);
  /// Forgets K and the Perron vector: the weights have changed.
  void invalidate() {
    valid_ = false;
    perron_.invalidate();
  }
  [[nodiscard]] bool valid() const { return valid_; }

  /// Made up to date by its own `update`.
  [[nodiscard]] PerronVector& perron() { return perron_; }

  /// d: local rows.
  [[nodiscard]] const double* slopes() const { return slopes_.data(); }
  [[nodiscard]] const RowBlockMatrix& matrix() const { return k_; }
  [[nodiscard]] const RowBlockMatrix& weights() const { return weights_; }
  /// estimated_norm of the weights; what iterations stop by, never what they are judged by.
  [[nodiscard]] double weight_norm() const { return weight_norm_; }

  /// Collective. out = (I − D̄W)⁻¹ v, or its transpose, for p columns (local rows x p); must not overlap.
  void solve(Index p, const double* v, double* out) const;
  void solve_transpose(Index p, const double* v, double* out) const;

  /// Not collective. Lets products be taken in single precision (-eq_float32): a copy of K is kept for them.
  /// Does nothing where one copy of the weights is spread over several ranks.
  void allow_single();
  /// Collective. out = K x or Kᵀ x for p columns. `single`: in single precision, if that is allowed, to a
  /// relative error of about 1e-7; an iteration may use it while its residual is far above that.
  void multiply(Index p, const double* x, double* out, bool single) const;
  void multiply_transpose(Index p, const double* x, double* out, bool single) const;
  /// Columns multiplied by K or Kᵀ so far, in either precision.
  [[nodiscard]] Index columns_multiplied() const { return k_.columns_multiplied() + single_columns_; }
  [[nodiscard]] Index single_columns_multiplied() const { return single_columns_; }

  /// Whether K pays for `samples` samples of this rank: it costs as much as a few products with all of them.
  [[nodiscard]] static bool affordable(const RowBlockMatrix& weights, Index samples);

 private:
  /// False if the matrix is singular, on all ranks: they factorise the same one.
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

}  // namespace poise
