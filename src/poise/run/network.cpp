#include "poise/run/network.hpp"

#include <algorithm>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
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
  return {.depth = settings.depth,
          .activation = settings.activation,
          .features = features,
          .bias = settings.layer_bias};
}

/// With what they start at.
std::vector<ParameterBlock> parameter_blocks(const NetworkSettings& settings, Index features) {
  const Index m = state_width(settings, features);
  std::vector<ParameterBlock> blocks;
  if (settings.has_equilibrium_model())
    blocks = settings.equilibrium_model()->blocks(features, m);
  else if (settings.is_feedforward())
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
                 Index features, const GraphNodes* graph)
    : settings_(settings.network),
      layout_(grid, state_width(settings_, features), problem.outputs, parameter_blocks(settings_, features),
              settings.matrix_type) {
  if (settings_.is_collapsed() || settings.audit) {
    collapsed_ = std::make_unique<CollapsedModel>(layout_, settings_.gamma);
    shallow_loss_ = std::make_unique<ShallowLoss>(layout_, problem);
  }
  if (settings_.has_equilibrium_model() && !settings_.is_collapsed())
    map_ = settings_.equilibrium_model()->make_map(layout_, features);
  if (settings_.is_collapsed())
    objective_ = std::make_unique<CollapsedObjective>(*collapsed_, *shallow_loss_);
  else if (graph != nullptr)
    objective_ = on_graph(problem, *graph, settings.seed);
  else
    objective_ = make_sample_objective(settings_, layout_, map_.get(), problem, features,
                                       equilibrium_settings(settings, grid));
  equilibrium_ = dynamic_cast<const EquilibriumObjective*>(objective_.get());
  if (settings_.gradient_check == 0) return;
  EquilibriumSettings exact = equilibrium_settings(settings, grid);
  exact.warm_start = false;
  exact.backward = {};
  reference_ = std::make_unique<EquilibriumObjective>(layout_, *map_, problem, exact);
}

std::unique_ptr<Objective> make_sample_objective(const NetworkSettings& settings,
                                                 const ParameterLayout& layout, EquilibriumMap* map,
                                                 const Problem& problem, Index features,
                                                 const EquilibriumSettings& equilibrium) {
  const Index rows = std::max<Index>(1, layout.width() / layout.grid().feature_ranks());
  const Index panel = settings.panel > 0 ? settings.panel : EquilibriumObjective::default_panel(rows);
  if (settings.is_feedforward())
    return std::make_unique<FeedforwardObjective>(layout, problem, panel, feedforward(settings, features));
  if (settings.is_shallow()) return std::make_unique<ShallowObjective>(layout, problem, panel);
  if (!settings.is_unrolled())
    return std::make_unique<EquilibriumObjective>(layout, *map, problem, equilibrium);
  const Unrolled unrolled{.depth = settings.depth, .recompute_every = settings.recompute_every};
  return std::make_unique<UnrolledObjective>(layout, *map, problem, panel, unrolled);
}

std::unique_ptr<NodeObjective> make_graph_objective(const NetworkSettings& settings,
                                                    const ParameterLayout& layout, EquilibriumMap& map,
                                                    const GraphMatrix& matrix, const GraphNodes& nodes,
                                                    const Problem& problem, std::uint64_t seed) {
  const Dropout dropout{.features = {settings.dropout, seed, Stream::dropped_features},
                        .states = {settings.dropout_states, seed, Stream::dropped_states},
                        .feature_rows = nodes.feature_rows};
  if (settings.is_unrolled())
    return std::make_unique<UnrolledGraphObjective>(layout, map, matrix, nodes.features, problem,
                                                    settings.depth, settings.normalise_states, dropout);
  return std::make_unique<GraphObjective>(
      layout, map, matrix, nodes.features, problem,
      GraphObjective::Settings{
          .warm_start = settings.warm_start, .normalise = settings.normalise_states, .dropout = dropout});
}

std::unique_ptr<Objective> Network::on_graph(const Problem& problem, const GraphNodes& graph,
                                             std::uint64_t seed) {
  graph_matrix_ = std::make_unique<GraphMatrix>(layout_.grid(), graph.rows, settings_.normalisation,
                                                map_->local_states(), settings_.graph_hops);
  return make_graph_objective(settings_, layout_, *map_, *graph_matrix_, graph, problem, seed);
}

std::string Network::gradient_label() const {
  if (equilibrium_ != nullptr) return equilibrium_->gradient_label();
  return settings_.is_unrolled() ? "exact of the unrolled network" : "exact";
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
  // S does not expand a norm over all nodes, THEORY.md 8.2; the adjacency matrix itself may.
  if (settings_.is_graph() && settings_.normalisation == Normalisation::none) return {};
  return map_->certificate();
}

}  // namespace run
}  // namespace poise
