#include "poise/run/network.hpp"

#include <algorithm>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/objective/collapsed_objective.hpp"
#include "poise/objective/feedforward_objective.hpp"
#include "poise/objective/shallow_objective.hpp"
#include "poise/objective/unrolled_objective.hpp"
#include "poise/run/usage.hpp"

namespace poise {
namespace {

Index state_width(const NetworkSettings& settings, Index features) {
  if (settings.has_own_width()) return settings.width;
  if (settings.width != 0 && settings.width != features)
    throw usage("-width " + std::to_string(settings.width) +
                ": without input weights the width is that of the " + std::to_string(features) +
                " features; leave -width out, or give -input_weights with a model "
                "that has them");
  return features;
}

Feedforward feedforward(const NetworkSettings& settings, Index features) {
  return {.depth = settings.depth, .activation = settings.activation, .features = features};
}

/// With what they start at.
std::vector<ParameterBlock> parameter_blocks(const NetworkSettings& settings, Index features) {
  const Index m = state_width(settings, features);
  std::vector<ParameterBlock> blocks;
  if (settings.has_equilibrium_model())
    blocks = settings.equilibrium_model()->blocks(features, m);
  else if (settings.objective == "feedforward")
    blocks = FeedforwardObjective::blocks(feedforward(settings, features), m);
  for (ParameterBlock& block : blocks)
    block.scale *= block.name == "V" ? settings.init_scale_v : settings.init_scale_a;
  return blocks;
}

EquilibriumSettings equilibrium_settings(const TrainSettings& settings, const ProcessGrid& grid) {
  const NetworkSettings& network = settings.network;
  const Index ranks = grid.sample_ranks();
  return {.panel = network.panel,
          .warm_start = network.warm_start,
          .samples = (settings.batch + ranks - 1) / ranks,
          .backward = network.backward,
          .jacobian_weight = network.jacobian_weight,
          .seed = settings.seed};
}

}  // namespace

Network::Network(const ProcessGrid& grid, const TrainSettings& settings, const Problem& problem,
                 Index features)
    : settings_(settings.network),
      layout_(grid, state_width(settings_, features), problem.outputs,
              parameter_blocks(settings_, features)) {
  if (settings_.objective == "collapsed" || settings.audit) {
    collapsed_ = std::make_unique<CollapsedModel>(layout_, settings_.gamma);
    shallow_loss_ = std::make_unique<ShallowLoss>(layout_, problem);
  }
  if (settings_.has_equilibrium_model() && settings_.objective != "collapsed")
    map_ = settings_.equilibrium_model()->make_map(layout_, features);
  build(settings, problem, features);
  if (settings_.gradient_check == 0) return;
  EquilibriumSettings exact = equilibrium_settings(settings, grid);
  exact.warm_start = false;
  exact.backward = {};
  reference_ = std::make_unique<EquilibriumObjective>(layout_, *map_, problem, exact);
}

void Network::build(const TrainSettings& settings, const Problem& problem, Index features) {
  const ProcessGrid& grid = layout_.grid();
  const Index rows = std::max<Index>(1, layout_.width() / grid.feature_ranks());
  const Index panel = settings_.panel > 0 ? settings_.panel : EquilibriumObjective::default_panel(rows);
  const std::string& kind = settings_.objective;
  if (kind == "collapsed") {
    objective_ = std::make_unique<CollapsedObjective>(*collapsed_, *shallow_loss_);
  } else if (kind == "unrolled") {
    const Unrolled unrolled{.depth = settings_.depth, .recompute_every = settings_.recompute_every};
    objective_ = std::make_unique<UnrolledObjective>(layout_, *map_, problem, panel, unrolled);
  } else if (kind == "feedforward") {
    objective_ =
        std::make_unique<FeedforwardObjective>(layout_, problem, panel, feedforward(settings_, features));
  } else if (kind == "shallow") {
    objective_ = std::make_unique<ShallowObjective>(layout_, problem, panel);
  } else {
    auto objective =
        std::make_unique<EquilibriumObjective>(layout_, *map_, problem, equilibrium_settings(settings, grid));
    equilibrium_ = objective.get();
    objective_ = std::move(objective);
  }
}

std::string Network::gradient_label() const {
  if (equilibrium_ != nullptr) return equilibrium_->gradient_label();
  return settings_.objective == "unrolled" ? "exact of the unrolled network" : "exact";
}

double Network::warm_bytes() const {
  double bytes = equilibrium_ != nullptr ? equilibrium_->warm_bytes() : 0.0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_DOUBLE, MPI_MAX, layout_.grid().world()));
  return bytes;
}

Certificate Network::certificate(Vec theta) {
  if (!settings_.has_equilibrium_model()) return {};
  if (!map_) return {"1", settings_.gamma};
  if (!remembers()) map_->forget();
  // The certificates of the other weights do not depend on θ.
  if (!settings_.is_pointwise() || settings_.weights == WeightKind::free) map_->set_parameters(theta);
  return map_->certificate();
}

}  // namespace poise
