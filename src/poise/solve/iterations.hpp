#pragma once

#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_iteration.hpp"
#include "poise/solve/mean_field.hpp"
#include "poise/solve/panel_operator.hpp"

namespace poise {
inline namespace solve {

/// Plain iteration z ← h(z) for any map; with the Perron vector p of its weights z ← h(z) + c_n p 1ᵀ(h(z) −
/// z), which removes the slow mode of every sample (THEORY.md 7.6). The residual is the true residual.
class PicardIteration final : public ColumnIteration {
 public:
  /// `perron`: the Perron vector of a pointwise map's weights, or null. `depth`: depth of Anderson mixing.
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
/// that it costs one product a step: y ← K g with g = a(y + u) − D̄y. Its rate of convergence is the spread of
/// the slopes around their mean times ‖W‖; the rate of plain iteration is the slopes times ‖W‖. It stops by
/// the bound ‖z − h(z)‖ ≤ ‖W‖₂ ‖g − g_before‖, which follows from z − h(z) = a(y + u) − a(Wz + u) and Wz − y
/// = W(g − g_before).
class MeanFieldIteration final : public ColumnIteration {
 public:
  MeanFieldIteration(MPI_Comm comm, Index columns, const MeanField& mean, Activation activation,
                     std::size_t depth = 0);
  /// Collective. `y`: the start on entry, nearly Wz on return; `z`: the equilibria on return; all rows x p.
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

/// The same chord iteration for the linearised equation of a panel, with one product with K per step. S are
/// the slopes of a sample. Adjoint (I − WᵀS)λ = r: λ = r + v, v ← Kᵀw with w = S r + (S − D̄)v; the residual
/// is at most ‖W‖₂ ‖w − w_before‖. (I − SW)x = r: x = r + S y, y ← K g with g = r + (S − D̄)y; the residual is
/// at most max S ‖W‖₂ ‖g − g_before‖.
class MeanFieldLinear final : public ColumnIteration {
 public:
  MeanFieldLinear(const PanelOperator& op, std::size_t depth = 0);
  /// Collective. Solves for the p columns of `op` with its slopes; `transposed`: the adjoint equation. `x`:
  /// the start on entry, the solution on return; rhs and x: rows x p.
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  MeanField* mean_ = nullptr;
  bool transposed_ = true;
  double* x_ = nullptr;
};

/// Richardson's iteration of the same equations, x ← x + M(r − Op x), where M is the identity (the Neumann
/// series) or the Perron correction. For maps whose slopes have as many rows as their states, or no rows.
class NeumannIteration final : public ColumnIteration {
 public:
  /// `perron`: the Perron vector that corrects, or null. `depth`: depth of Anderson mixing.
  NeumannIteration(const PanelOperator& op, PerronVector* perron, std::size_t depth = 0);
  /// Collective. As MeanFieldLinear::run.
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x, const Limits& limits);
  /// Collective. Whether, on all ranks, the slopes of the map of `op` have as many rows as its states, or no
  /// rows.
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

/// Whether the activation is the proximal operator of αf for the same f and every α > 0: true for relu and
/// identity.
[[nodiscard]] bool same_proximal_operator_for_every_step(Activation activation);

/// Forward-backward splitting of Winston & Kolter (NeurIPS 2020) for h(z) = a(Wz + u) with I − W strongly
/// monotone: z ← a((1 − α)z + α(Wz + u)). Converges for α < 2μ/‖I − W‖₂². For relu and identity. The residual
/// is the true residual.
class ForwardBackwardIteration final : public ColumnIteration {
 public:
  ForwardBackwardIteration(MPI_Comm comm, Index columns, const PointwiseForm& form);
  /// Collective. `z`: the start on entry, the equilibria on return; both blocks are rows x p.
  Result run(Index p, const double* injection, double* z, double alpha, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  PointwiseForm form_;
  double alpha_ = 1.0;
  double* z_ = nullptr;
  std::vector<double> value_;
};

/// Peaceman-Rachford splitting of the same equation: r = 2z − w, x = (I + α(I − W))⁻¹(r + αu), w ← 2x − r, z
/// ← a(w). Converges for every α > 0; an α different from 1 is only for relu and identity. It needs one
/// inverse, (I + α(I − W))⁻¹ = (I + dK)/(1 + α) with the mean field of the uniform slope d = α/(1 + α), and
/// one product per step. Since Wx + u = ((1 + α)x − r)/α, the true residual of x needs no further product.
class PeacemanRachfordIteration final : public ColumnIteration {
 public:
  PeacemanRachfordIteration(MPI_Comm comm, Index columns, const MeanField& mean, Activation activation);
  /// Collective. As ForwardBackwardIteration::run; `mean` must have been updated with the slope α/(1 + α).
  Result run(Index p, const double* injection, double* z, double alpha, const Limits& limits);

 private:
  void product(Index p) override;
  void measure(Index slot, double& residual, double& scale) override;
  void finish(Index slot, Index column, bool done) override;

  const MeanField& mean_;
  Activation activation_;
  double alpha_ = 1.0;
  double* z_ = nullptr;
  std::vector<double> value_;
};

}  // namespace solve
}  // namespace poise
