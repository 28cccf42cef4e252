#include "poise/objective/explicit_objectives.hpp"

#include <fmt/format.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace objective {
namespace {

void grow(std::vector<double>& workspace, Index size) {
  workspace.resize(std::max(workspace.size(), static_cast<std::size_t>(size)));
}

}  // namespace

UnrolledObjective::UnrolledObjective(const ParameterLayout& layout, EquilibriumMap& map,
                                     const Problem& problem, Index panel, const Unrolled& settings)
    : SampleObjective(layout, problem, map.local_states(), map.local_features(), panel),
      map_(map),
      rows_(map.local_states()),
      depth_(settings.depth),
      length_(settings.recompute_every) {
  // Created here too: a rank without samples never reaches the code that uses them.
  for (const char* event : {"Unrolled", "UnrolledBack"}) (void)LogEvent(event);
  if (depth_ < 1)
    throw bad_input(fmt::format("option -depth {}: a network needs at least one layer", depth_));
  if (length_ < 0)
    throw bad_input(
        fmt::format("option -recompute_every {}: give a number of layers, or 0 for never", length_));
  if (length_ == 0 || length_ > depth_) length_ = depth_;
}

void UnrolledObjective::prepare(Index p, bool with_gradient) {
  stride_ = rows_ * p;
  grow(injection_, stride_);
  grow(next_, stride_);
  if (!with_gradient) return;
  grow(starts_, segments() * stride_);
  grow(layers_, length_ * stride_);
  grow(slopes_, map_.slope_rows() * p);
  grow(lambda_, stride_);
}

void UnrolledObjective::run_without_history(Panel& panel) {
  std::fill(panel.state.begin(), panel.state.end(), 0.0);
  for (Index l = 0; l < depth_; ++l) {
    map_.apply(panel.p, panel.state.data(), injection_.data(), next_.data());
    std::copy_n(next_.begin(), stride_, panel.state.begin());
  }
}

void UnrolledObjective::run_segment(Index s, Index p) {
  const double* z = starts_.data() + s * stride_;
  double* h = layers_.data();
  for (Index l = 0; l < layers_of(s); ++l, z = h, h += stride_) map_.apply(p, z, injection_.data(), h);
}

void UnrolledObjective::forward(Panel& panel, bool with_gradient, Evaluation&) {
  static const LogEvent event("Unrolled");
  const auto scope = event.begin();
  prepare(panel.p, with_gradient);
  map_.inject(panel.p, panel.features.data(), injection_.data());
  if (!with_gradient) return run_without_history(panel);
  std::fill_n(starts_.begin(), stride_, 0.0);
  for (Index s = 0; s < segments(); ++s) {
    run_segment(s, panel.p);
    const auto last = layers_.begin() + (layers_of(s) - 1) * stride_;
    std::copy_n(last, stride_,
                s + 1 < segments() ? starts_.begin() + (s + 1) * stride_ : panel.state.begin());
  }
}

void UnrolledObjective::propagate_segment(Index s, const Panel& panel) {
  for (Index l = layers_of(s) - 1; l >= 0; --l) {
    const double* z = l > 0 ? layers_.data() + (l - 1) * stride_ : starts_.data() + s * stride_;
    map_.linearise(panel.p, z, layers_.data() + l * stride_, slopes_.data());
    map_.add_gradient(panel.p, slopes_.data(), z, panel.features.data(), lambda_.data());
    if (s == 0 && l == 0) return;  // nothing depends on z⁽⁰⁾
    map_.jacobian_transpose(panel.p, slopes_.data(), lambda_.data(), next_.data());
    lambda_.swap(next_);
  }
}

void UnrolledObjective::backward(Panel& panel, Evaluation&) {
  static const LogEvent event("UnrolledBack");
  const auto scope = event.begin();
  std::copy_n(panel.cotangent.begin(), stride_, lambda_.begin());
  for (Index s = segments() - 1; s >= 0; --s) {
    if (s + 1 < segments()) run_segment(s, panel.p);  // the last segment is still in layers_
    propagate_segment(s, panel);
  }
}

namespace {

void require_depth(Index depth) {
  if (depth < 1) throw bad_input(fmt::format("option -depth {}: a network needs at least one layer", depth));
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
    blocks.push_back({.name = fmt::format("W{}", l), .columns = inputs, .scale = scale});
    if (shape.bias) blocks.push_back({.name = fmt::format("b{}", l), .columns = 1, .scale = 0.0});
  }
  return blocks;
}

FeedforwardObjective::FeedforwardObjective(const ParameterLayout& layout, const Problem& problem, Index panel,
                                           const Feedforward& shape)
    : SampleObjective(layout, problem, layout.block().size(), local_rows(layout, shape.features), panel),
      activation_(shape.activation) {
  require_depth(shape.depth);
  // Created here too: a rank without samples never reaches the code that uses them.
  for (const char* event : {"Feedforward", "FeedforwardBack"}) (void)LogEvent(event);
  for (Index l = 1; l <= shape.depth; ++l)
    layers_.emplace_back(layout, fmt::format("W{}", l), shape.bias ? fmt::format("b{}", l) : "");
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

ShallowObjective::ShallowObjective(const ParameterLayout& layout, const Problem& problem, Index panel)
    : SampleObjective(layout, problem, layout.block().size(), layout.block().size(), panel) {
  if (!layout.blocks().empty())
    throw failure("the parameters of the shallow network have a block beside the readout");
}

void ShallowObjective::forward(Panel& panel, bool, Evaluation&) {
  std::copy(panel.features.begin(), panel.features.end(), panel.state.begin());
}

}  // namespace objective
}  // namespace poise
