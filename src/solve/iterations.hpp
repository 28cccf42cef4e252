#pragma once

#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_iteration.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {

/// Plain iteration z ← h(z) for any map. The residual is the true one.
class PicardIteration final : public ColumnIteration {
 public:
  PicardIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns);
  /// Collective. `z`: start on entry, equilibria on return; `injection` and `z`: rows x p.
  Result run(Index p, const double* injection, double* z, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const EquilibriumMap& map_;
  double* z_ = nullptr;
};

/// The chord iteration z ← z − (I − D̄W)⁻¹(z − h(z)) with the mean-field linearisation, written in y = Wz so
/// that it costs one product a step: y ← K g with g = a(y + u) − D̄y. Its rate is the spread of the slopes
/// around their mean times ‖W‖, where plain iteration's is the slopes times ‖W‖. From z − h(z) = a(y + u) −
/// a(Wz + u) and Wz − y = W(g − g_before) follows the bound ‖z − h(z)‖ ≤ ‖W‖₂ ‖g − g_before‖ that it stops
/// by.
class MeanFieldIteration final : public ColumnIteration {
 public:
  MeanFieldIteration(MPI_Comm comm, Index columns, const MeanField& mean, Activation activation,
                     std::size_t depth = 0);
  /// Collective. `y`: start on entry, Wz (nearly) on return; `z`: equilibria on return; all rows x p.
  Result run(Index p, const double* injection, double* y, double* z, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const MeanField& mean_;
  Activation activation_;
  double* y_ = nullptr;
  double* z_ = nullptr;
  std::vector<double> value_;
};

/// The same for the adjoint (I − WᵀS)λ = r, S the slopes of a sample: λ = r + v, v ← Kᵀw with w = S r + (S −
/// D̄)v, residual at most ‖W‖₂ ‖w − w_before‖.
class MeanFieldAdjoint final : public ColumnIteration {
 public:
  MeanFieldAdjoint(MPI_Comm comm, Index columns, const MeanField& mean, bool linear, std::size_t depth = 0);
  /// Collective. `lambda`: start on entry, solution on return; slopes (ignored if linear), rhs, lambda: rows
  /// x p.
  Result run(Index p, const double* slopes, const double* rhs, double* lambda, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const MeanField& mean_;
  bool linear_;
  double* lambda_ = nullptr;
};

/// Plain Neumann iteration λ ← r + (∂h/∂z)ᵀλ for any map whose slopes have as many rows as its states, or
/// none.
class NeumannIteration final : public ColumnIteration {
 public:
  NeumannIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns);
  /// Collective. As MeanFieldAdjoint::run.
  Result run(Index p, const double* slopes, const double* rhs, double* lambda, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const EquilibriumMap& map_;
  double* lambda_ = nullptr;
};

}  // namespace poise
