#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/pointwise.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "poise/theory/tangent_gram.hpp"
#include "support/gradients.hpp"

namespace poise::testing_support {

enum class Kind {
  softmax_linear,
  tanh_softmax,
  tanh_free,
  tanh_spectral,
  relu_monotone,
  unrolled_tanh,
  feedforward_tanh,
  shallow
};
inline constexpr Kind all_kinds[] = {Kind::softmax_linear,   Kind::tanh_softmax,  Kind::tanh_free,
                                     Kind::tanh_spectral,    Kind::relu_monotone, Kind::unrolled_tanh,
                                     Kind::feedforward_tanh, Kind::shallow};

inline std::string to_string(Kind kind) {
  const char* names[] = {"softmax_linear", "tanh_softmax",  "tanh_free",        "tanh_spectral",
                         "relu_monotone",  "unrolled_tanh", "feedforward_tanh", "shallow"};
  return names[static_cast<int>(kind)];
}

struct TangentSizes {
  Index m = 5, d = 3, q = 2, n = 3;
  double gamma = 0.6, scale = 0.7;
  const Loss* loss = squared_loss();
};

/// A network with random parameters, and the objective of its outputs on any problem.
class TangentNetwork {
 public:
  TangentNetwork(Kind kind, MPI_Comm world, int feature_ranks, const TangentSizes& sizes = {})
      : kind_(kind),
        grid(world, feature_ranks),
        shape(pointwise_shape(kind, sizes)),
        feedforward{2, Activation::tanh, sizes.d},
        layout(grid, sizes.m, sizes.q, blocks(sizes.m)),
        problem(random_problem(layout, sizes.loss, sizes.n, 0, has_inputs() ? sizes.d : 0)),
        theta(layout.create()) {
    randomise(layout, theta.get(), 1, sizes.scale);
  }

  /// An objective with its own map.
  [[nodiscard]] std::shared_ptr<Objective> make(const Problem& of,
                                                const EquilibriumSettings& settings) const {
    struct Owned {
      std::unique_ptr<Pointwise> map;
      std::unique_ptr<Objective> objective;
    };
    const auto owned = std::make_shared<Owned>();
    if (kind_ == Kind::feedforward_tanh) {
      owned->objective = std::make_unique<FeedforwardObjective>(layout, of, 4, feedforward);
    } else if (kind_ == Kind::shallow) {
      owned->objective = std::make_unique<ShallowObjective>(layout, of, 4);
    } else {
      owned->map = std::make_unique<Pointwise>(layout, shape);
      if (kind_ == Kind::unrolled_tanh)
        owned->objective = std::make_unique<UnrolledObjective>(layout, *owned->map, of, 4, Unrolled{3, 0});
      else
        owned->objective = std::make_unique<EquilibriumObjective>(layout, *owned->map, of, settings);
    }
    return {owned, owned->objective.get()};
  }
  [[nodiscard]] TangentGram::Factory factory(const EquilibriumSettings& settings = {.warm_start = true,
                                                                                    .samples = 1}) const {
    return [this, settings](const Problem& of) { return make(of, settings); };
  }

  const Kind kind_;
  ProcessGrid grid;
  Pointwise::Shape shape;
  Feedforward feedforward;
  ParameterLayout layout;
  Problem problem;
  VecHandle theta;

 private:
  [[nodiscard]] bool has_inputs() const { return kind_ != Kind::softmax_linear && kind_ != Kind::shallow; }
  [[nodiscard]] std::vector<ParameterBlock> blocks(Index m) const {
    if (kind_ == Kind::shallow) return {};
    if (kind_ == Kind::feedforward_tanh) return FeedforwardObjective::blocks(feedforward, m);
    return Pointwise::blocks(shape, m);
  }
  static Pointwise::Shape pointwise_shape(Kind kind, const TangentSizes& sizes) {
    const bool linear = kind == Kind::softmax_linear;
    return {.activation = linear                        ? Activation::identity
                          : kind == Kind::relu_monotone ? Activation::relu
                                                        : Activation::tanh,
            .weights = kind == Kind::tanh_free       ? WeightKind::free
                       : kind == Kind::tanh_spectral ? WeightKind::spectral
                       : kind == Kind::relu_monotone ? WeightKind::monotone
                                                     : WeightKind::softmax,
            .gamma = sizes.gamma,
            .input_weights = !linear,
            .bias = !linear,
            .features = sizes.d};
  }
};

}  // namespace poise::testing_support
