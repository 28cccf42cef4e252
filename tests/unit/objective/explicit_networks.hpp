#pragma once

#include <memory>
#include <string>

#include "poise/model/pointwise.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "support/gradients.hpp"

namespace poise::testing_support {

enum class Network {
  unrolled_linear,
  unrolled_tanh,
  recomputed_tanh,
  feedforward_tanh,
  feedforward_relu,
  feedforward_unbiased,
  shallow
};

inline std::string to_string(Network network) {
  const char* names[] = {"unrolled_linear",  "unrolled_tanh",        "recomputed_tanh", "feedforward_tanh",
                         "feedforward_relu", "feedforward_unbiased", "shallow"};
  return names[static_cast<int>(network)];
}

constexpr double contraction = 0.8;

/// Sizes of a test: states, features (if the network has input weights), samples.
struct Sizes {
  Index m = 7, d = 5, n = 20, n_test = 0, panel = 4, depth = 3;
};

/// An explicit network, its problem and parameters on one grid; all entries depend only on global indices.
struct ExplicitNetwork {
  ExplicitNetwork(Network network, MPI_Comm world, int feature_ranks, const Loss* loss,
                  const Sizes& sizes = {})
      : grid(world, feature_ranks),
        shape(pointwise_shape(network, sizes)),
        feedforward{sizes.depth, network == Network::feedforward_relu ? Activation::relu : Activation::tanh,
                    sizes.d, network != Network::feedforward_unbiased},
        layout(grid, sizes.m, loss == logistic_loss() ? 1 : 3, blocks(network, sizes.m)),
        problem(random_problem(layout, loss, sizes.n, sizes.n_test, inputs(network, sizes))),
        theta(layout.create()) {
    randomise(layout, theta.get(), 1, 0.5);
    make_objective(network, sizes);
  }
  /// Makes the objective again, for a problem whose samples have changed.
  void make_objective(Network network, const Sizes& sizes) {
    if (network == Network::shallow)
      objective = std::make_unique<ShallowObjective>(layout, problem, sizes.panel);
    else if (network == Network::feedforward_tanh || network == Network::feedforward_relu ||
             network == Network::feedforward_unbiased)
      objective = std::make_unique<FeedforwardObjective>(layout, problem, sizes.panel, feedforward);
    else
      unroll({sizes.depth, network == Network::recomputed_tanh ? 2 : 0}, sizes.panel);
  }
  /// Makes the objective an unrolled network of these settings.
  UnrolledObjective& unroll(const Unrolled& settings, Index panel = 4) {
    if (!map) map = std::make_unique<Pointwise>(layout, shape);
    auto unrolled = std::make_unique<UnrolledObjective>(layout, *map, problem, panel, settings);
    UnrolledObjective& result = *unrolled;
    objective = std::move(unrolled);
    return result;
  }
  [[nodiscard]] Gradient gradient(const Batch& batch = {}) {
    return gradient_of(*objective, theta.get(), batch);
  }

  static Pointwise::Shape pointwise_shape(Network network, const Sizes& sizes) {
    const bool linear = network == Network::unrolled_linear;
    return {.activation = linear ? Activation::identity : Activation::tanh,
            .weights = WeightKind::softmax,
            .gamma = contraction,
            .input_weights = !linear,
            .bias = !linear,
            .features = sizes.d};
  }
  static Index inputs(Network network, const Sizes& sizes) {
    return network == Network::unrolled_linear || network == Network::shallow ? sizes.m : sizes.d;
  }
  [[nodiscard]] std::vector<ParameterBlock> blocks(Network network, Index m) const {
    if (network == Network::shallow) return {};
    if (network == Network::feedforward_tanh || network == Network::feedforward_relu ||
        network == Network::feedforward_unbiased)
      return FeedforwardObjective::blocks(feedforward, m);
    return Pointwise::blocks(shape, m);
  }

  ProcessGrid grid;
  Pointwise::Shape shape;
  Feedforward feedforward;
  ParameterLayout layout;
  Problem problem;
  VecHandle theta;
  std::unique_ptr<Pointwise> map;
  std::unique_ptr<Objective> objective;
};

}  // namespace poise::testing_support
