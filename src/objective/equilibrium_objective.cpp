#include "poise/objective/equilibrium_objective.hpp"

#include <algorithm>

#include "poise/base/log_event.hpp"

namespace poise {

EquilibriumObjective::EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map,
                                           const Problem& problem, Index panel, double rtol)
    : SampleObjective(layout, problem, map.local_states(), map.local_features(), panel), map_(map) {
  const MPI_Comm comm = layout.grid().feature();
  const Index columns = std::max(panel_width(problem.train.count), panel_width(problem.test.count));
  // A rank without samples still makes its solvers, so that their options count as used on every rank.
  equilibrium_ = std::make_unique<EquilibriumSolver>(comm, map, columns, rtol, problem.train.count);
  adjoint_ = std::make_unique<AdjointSolver>(comm, map, columns, equilibrium_->rtol(), equilibrium_->mean_field(),
                                             equilibrium_->type() == snes_mean_field);
  injection_.resize(static_cast<std::size_t>(map.local_states() * columns));
  slopes_.resize(static_cast<std::size_t>(map.slope_rows() * columns));
  lambda_.resize(injection_.size());
}

Index EquilibriumObjective::default_panel(Index rows) {
  return std::clamp<Index>(65536 / std::max<Index>(rows, 1), 16, 512);
}

void EquilibriumObjective::load_network(Vec theta) {
  map_.set_parameters(theta);
  equilibrium_->parameters_changed();
}

void EquilibriumObjective::forward(Panel& panel, bool, Evaluation& result) {
  static const LogEvent event("Equilibrium");
  const auto scope = event.begin();
  map_.inject(panel.p, panel.features.data(), injection_.data());
  std::copy_n(injection_.begin(), panel.state.size(), panel.state.begin());  // better than zero: it is h(0)
  result.equilibrium.merge(
      equilibrium_->solve(panel.p, injection_.data(), panel.state.data(), slopes_.data()), panel.local[0]);
}

void EquilibriumObjective::backward(Panel& panel, Evaluation& result) {
  static const LogEvent event("Adjoint");
  const auto scope = event.begin();
  result.adjoint.merge(adjoint_->solve(panel.p, slopes_.data(), panel.cotangent.data(), lambda_.data()),
                       panel.local[0]);
  map_.add_gradient(panel.p, slopes_.data(), panel.state.data(), panel.features.data(), lambda_.data());
}

}  // namespace poise
