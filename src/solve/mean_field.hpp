#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"

namespace poise {

/// Collective on the communicator of the matrix. An estimate from below of ‖W‖₂, by a few power iterations.
[[nodiscard]] double estimated_norm(const RowBlockMatrix& weights);

/// The mean-field linearisation of a pointwise map h(z) = a(Wz + u): J̄ = D̄W with D̄ = diag(d), d the mean
/// slope of some samples, one matrix for all of them. What solvers need of it is K = W (I − D̄W)⁻¹, a matrix
/// of the shape of W: then (I − D̄W)⁻¹ = I + D̄K and its transpose is I + KᵀD̄, and an iteration that is
/// preconditioned by it costs one product (see MeanFieldIteration). For a linear map it is the exact inverse.
class MeanField {
 public:
  /// `weights` must outlive it.
  explicit MeanField(const RowBlockMatrix& weights);

  /// Collective on the communicator of the weights. Computes K for the mean slopes d (local rows). One LU
  /// factorisation of an m x m matrix, which every rank holds while this runs. Throws failure if I − D̄W is
  /// singular.
  void update(const double* d);
  /// Forgets K: the weights have changed.
  void invalidate() { valid_ = false; }
  [[nodiscard]] bool valid() const { return valid_; }

  /// d: local rows.
  [[nodiscard]] const double* slopes() const { return slopes_.data(); }
  [[nodiscard]] const RowBlockMatrix& matrix() const { return k_; }
  [[nodiscard]] const RowBlockMatrix& weights() const { return weights_; }
  /// estimated_norm of the weights; what iterations stop by, never what they are judged by.
  [[nodiscard]] double weight_norm() const { return weight_norm_; }

  /// Collective. out = (I − D̄W)⁻¹ v, or its transpose, for p columns (local rows x p); must not overlap.
  void solve(Index p, const double* v, double* out) const;
  void solve_transpose(Index p, const double* v, double* out) const;

  /// Whether K pays for `samples` samples of this rank: it costs as much as a few products with all of them.
  [[nodiscard]] static bool affordable(const RowBlockMatrix& weights, Index samples);

 private:
  const RowBlockMatrix& weights_;
  RowBlockMatrix k_;
  std::vector<double> slopes_, factors_, all_slopes_;
  std::vector<int> pivots_;
  mutable std::vector<double> scaled_;
  double weight_norm_ = 1.0;
  bool valid_ = false;
};

}  // namespace poise
