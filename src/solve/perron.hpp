#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_iteration.hpp"

namespace poise {

/// The Perron vector p of weights W whose columns are nonnegative and sum to γ: Wp = γp, 1ᵀp = 1. Its span is
/// the slow mode of every sample, and (theory.md 7.6) corrects it for O(m): with d_n = Σ_i a'_i p_i of sample
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

/// z ← h(z) + c_n p 1ᵀ(h(z) − z): plain iteration without its slow mode, one product a step and no
/// factorisation. The residual is the true one. `depth`: of Anderson mixing.
class PerronIteration final : public ColumnIteration {
 public:
  PerronIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns, PerronVector& perron,
                  std::size_t depth = 0);
  /// Collective. As PicardIteration::run.
  Result run(Index p, const double* injection, double* z, const Limits& limits);

 private:
  enum Sum : std::size_t { residual_sum, mean_slope };
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const EquilibriumMap& map_;
  Activation activation_;
  PerronVector& perron_;
  double* z_ = nullptr;
  std::vector<double> slopes_;
};

}  // namespace poise
