#include "poise/objective/feedforward_objective.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
namespace {

void require_depth(Index depth) {
  if (depth < 1)
    throw bad_input("-depth " + std::to_string(depth) + ": an explicit network has at least one layer");
}

Index local_rows(const ParameterLayout& layout, Index rows) {
  const auto offsets = layout.grid().feature_offsets(rows);
  const auto f = static_cast<std::size_t>(layout.grid().feature_index());
  return offsets[f + 1] - offsets[f];
}

}  // namespace

std::vector<ParameterBlock> FeedforwardObjective::blocks(const Feedforward& shape, Index m) {
  require_depth(shape.depth);
  const bool rectified = shape.activation == Activation::relu || shape.activation == Activation::leaky_relu;
  std::vector<ParameterBlock> blocks;
  for (Index l = 1; l <= shape.depth; ++l) {
    const Index inputs = l == 1 ? shape.features : m;
    const double scale = std::sqrt((rectified ? 2.0 : 1.0) / static_cast<double>(std::max<Index>(1, inputs)));
    blocks.push_back({.name = "W" + std::to_string(l), .columns = inputs, .scale = scale});
    if (shape.bias) blocks.push_back({.name = "b" + std::to_string(l), .columns = 1, .scale = 0.0});
  }
  return blocks;
}

FeedforwardObjective::FeedforwardObjective(const ParameterLayout& layout, const Problem& problem, Index panel,
                                           const Feedforward& shape)
    : SampleObjective(layout, problem, layout.block().size(), local_rows(layout, shape.features), panel),
      activation_(shape.activation) {
  require_depth(shape.depth);
  // Made here too, for a rank without samples never comes to where they are used.
  for (const char* event : {"Feedforward", "FeedforwardBack"}) (void)LogEvent(event);
  for (Index l = 1; l <= shape.depth; ++l)
    layers_.emplace_back(layout, "W" + std::to_string(l), shape.bias ? "b" + std::to_string(l) : "");
  states_.resize(layers_.size());
}

void FeedforwardObjective::load_network(Vec theta) {
  const ReadArray values(theta);
  for (DenseLayer& layer : layers_) layer.set_parameters(values.data());
}

void FeedforwardObjective::clear_network_gradient() {
  for (DenseLayer& layer : layers_) layer.clear_gradient();
}

void FeedforwardObjective::write_network_gradient(Vec gradient) {
  WriteArray values(gradient);
  for (DenseLayer& layer : layers_) layer.write_gradient(values.data());
}

void FeedforwardObjective::forward(Panel& panel, bool, Evaluation&) {
  static const LogEvent event("Feedforward");
  const auto scope = event.begin();
  const auto size = static_cast<Index>(panel.state.size());
  const double* x = panel.features.data();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    states_[l].resize(std::max(states_[l].size(), panel.state.size()));
    layers_[l].multiply(panel.p, x, states_[l].data());
    activate(activation_, size, states_[l].data(), states_[l].data());
    x = states_[l].data();
  }
  std::copy_n(x, size, panel.state.begin());
}

void FeedforwardObjective::backward(Panel& panel, Evaluation&) {
  static const LogEvent event("FeedforwardBack");
  const auto scope = event.begin();
  const auto size = static_cast<Index>(panel.state.size());
  delta_.resize(std::max(delta_.size(), panel.state.size()));
  for (std::size_t l = layers_.size(); l-- > 0;) {
    activation_slope(activation_, size, states_[l].data(), delta_.data());
    for (Index i = 0; i < size; ++i) delta_[i] *= panel.cotangent[i];
    layers_[l].add_gradient(panel.p, delta_.data(), l > 0 ? states_[l - 1].data() : panel.features.data());
    if (l > 0) layers_[l].multiply_transpose(panel.p, delta_.data(), panel.cotangent.data());
  }
}

}  // namespace poise
