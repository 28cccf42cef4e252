#pragma once

#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_iteration.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {

/// Whether the activation is the proximal operator of αf for every α > 0 if it is that of f: relu and
/// identity.
[[nodiscard]] bool same_proximal_operator_for_every_step(Activation activation);

/// Forward-backward splitting of Winston & Kolter (NeurIPS 2020) for h(z) = a(Wz + u) with I − W strongly
/// monotone: z ← a((1 − α)z + α(Wz + u)). Converges for α < 2μ/‖I − W‖₂². For relu and identity. The residual
/// is the true one.
class ForwardBackwardIteration final : public ColumnIteration {
 public:
  ForwardBackwardIteration(MPI_Comm comm, Index columns, const PointwiseForm& form);
  /// Collective. `z`: start on entry, equilibria on return; both blocks rows x p.
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
/// ← a(w). Converges for every α > 0; α other than 1 is for relu and identity. It needs one inverse, (I + α(I
/// − W))⁻¹ = (I + dK)/(1 + α) with the mean field of the uniform slope d = α/(1 + α), and one product a step.
/// Since Wx + u =
/// ((1 + α)x − r)/α, the true residual of x comes without another.
class PeacemanRachfordIteration final : public ColumnIteration {
 public:
  PeacemanRachfordIteration(MPI_Comm comm, Index columns, const MeanField& mean, Activation activation);
  /// Collective. As ForwardBackwardIteration::run; `mean` must be that of the slope α/(1 + α).
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

}  // namespace poise
