#pragma once

#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_iteration.hpp"
#include "poise/solve/mean_field.hpp"
#include "poise/solve/panel_operator.hpp"

namespace poise {

/// Plain iteration z ← h(z) for any map; with the Perron vector p of its weights z ← h(z) + c_n p 1ᵀ(h(z) −
/// z), which leaves the slow mode of every sample out (THEORY.md 7.6). The residual is the true one.
class PicardIteration final : public ColumnIteration {
 public:
  /// `perron`: null, or of a pointwise map's weights. `depth`: of Anderson mixing.
  PicardIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns, PerronVector* perron = nullptr,
                  std::size_t depth = 0);
  /// Collective. `z`: start on entry, equilibria on return; `injection` and `z`: rows x p.
  Result run(Index p, const double* injection, double* z, const Limits& limits);

 private:
  enum Sum : std::size_t { residual_sum, mean_slope };
  /// The next iterates, without mixing.
  void step(Index slot);
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const EquilibriumMap& map_;
  PerronVector* perron_;
  double* z_ = nullptr;
  std::vector<double> slopes_;
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

/// The linearised equation of a panel by the same chord, one product with K a step. Of the adjoint (I −
/// WᵀS)λ = r, S the slopes of a sample: λ = r + v, v ← Kᵀw with w = S r + (S − D̄)v, residual at most ‖W‖₂ ‖w
/// − w_before‖. Of (I − SW)x = r: x = r + S y, y ← K g with g = r + (S − D̄)y, residual at most max S ‖W‖₂ ‖g
/// − g_before‖.
class MeanFieldLinear final : public ColumnIteration {
 public:
  MeanFieldLinear(const PanelOperator& op, std::size_t depth = 0);
  /// Collective. Solves for the p columns of `op` (their slopes are its), transposed or not. `x`: start on
  /// entry, solution on return; rhs, x: rows x p.
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  MeanField* mean_ = nullptr;
  bool transposed_ = true;
  double* x_ = nullptr;
};

/// Richardson's iteration of the same equations for any map whose slopes have as many rows as its states, or
/// none: x ← x + M(r − Op x), M the identity (the Neumann series) or the Perron correction.
class NeumannIteration final : public ColumnIteration {
 public:
  /// `perron`: null, or what corrects. `depth`: of Anderson mixing.
  NeumannIteration(const PanelOperator& op, PerronVector* perron, std::size_t depth = 0);
  /// Collective. As MeanFieldLinear::run.
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x, const Limits& limits);
  /// Collective. Whether the map of `op` has slopes that it can move with its columns, on all ranks.
  [[nodiscard]] static bool suits(const PanelOperator& op);

 private:
  enum Sum : std::size_t { residual_sum, mean_slope };
  void step(Index slot);
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const EquilibriumMap& map_;
  PerronVector* perron_;
  bool transposed_ = true;
  double* x_ = nullptr;
};

}  // namespace poise
