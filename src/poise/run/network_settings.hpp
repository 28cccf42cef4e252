#pragma once

#include <memory>
#include <string>

#include "poise/base/options.hpp"
#include "poise/graph_solve/graph_matrix.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/solve/adjoint_solver.hpp"

namespace poise {
inline namespace run {

/// The role of the options that define the loss and its gradient.
inline const Role fixes_loss{Role::identity,
                             "the history and the bounds of the run belong to its old loss and gradient"};

/// The options that say what is trained and how its loss and gradient are computed.
struct NetworkSettings {
  std::string model = "softmax_linear", objective = "equilibrium";
  std::shared_ptr<const Model> own_model;  ///< a registered model; null: one of Poise's own models
  // Options of Poise's own models:
  WeightKind weights = WeightKind::softmax;
  Activation activation = Activation::identity;
  double gamma = 0.8;   ///< γ
  double margin = 0.5;  ///< μ of the monotone model
  bool input_weights = false, bias = false;
  Normalisation normalisation = Normalisation::symmetric;  ///< of the model graph
  Index graph_hops = 1;                                    ///< K of the model graph
  bool normalise_states = false;                           ///< of the model graph
  double dropout = 0.0, dropout_states = 0.0;              ///< of the model graph
  // Options of all models and objectives:
  Index width = 0;  ///< state width; 0: the number of features
  double init_scale_a = 1.0, init_scale_v = 1.0, init_scale_b = 1.0;
  Index depth = 10, recompute_every = 0;
  bool layer_bias = true;  ///< biases of the objective feedforward; not an option, poise-compare sets it
  bool warm_start = true;
  Backward backward;
  double jacobian_weight = 0.0;
  Index gradient_check = 0;
  Index panel = 0;

  /// Declares and reads all these options. Throws bad_input.
  static NetworkSettings from(Options& options);

  /// The trained network with its numbers: "softmax_linear, gamma = 0.8", "feedforward, 3 layers, relu".
  [[nodiscard]] std::string description() const;
  // Values of -objective.
  [[nodiscard]] bool solves_equilibria() const { return objective == "equilibrium"; }
  [[nodiscard]] bool is_collapsed() const { return objective == "collapsed"; }
  [[nodiscard]] bool is_unrolled() const { return objective == "unrolled"; }
  [[nodiscard]] bool is_feedforward() const { return objective == "feedforward"; }
  [[nodiscard]] bool is_shallow() const { return objective == "shallow"; }
  [[nodiscard]] bool has_equilibrium_model() const { return !is_feedforward() && !is_shallow(); }
  /// Whether the run uses the loss and the exact gradient of the deep equilibrium linear model, the subject
  /// of Theorem 1.
  [[nodiscard]] bool theorem_applies() const {
    const bool exact = backward.exact() && jacobian_weight == 0.0;
    return is_softmax_linear() && (is_collapsed() || (solves_equilibria() && exact));
  }
  [[nodiscard]] bool is_softmax_linear() const { return model == "softmax_linear"; }
  /// Whether the samples are nodes of a graph, whose equilibrium couples all nodes.
  [[nodiscard]] bool is_graph() const { return model == "graph"; }
  /// Whether every step has a loss of its own, by the entries that it drops.
  [[nodiscard]] bool has_dropout() const { return dropout > 0.0 || dropout_states > 0.0; }
  /// Whether the equation is z = a(Wz + u), a Pointwise of `shape`: true for all of Poise's own models.
  [[nodiscard]] bool is_pointwise() const { return own_model == nullptr; }
  /// Never null; has no meaning if has_equilibrium_model() is false.
  [[nodiscard]] std::shared_ptr<const Model> equilibrium_model() const;
  /// Whether the state width is -width. If not, it is the number of features.
  [[nodiscard]] bool has_own_width() const {
    return is_feedforward() || (has_equilibrium_model() && equilibrium_model()->has_own_width());
  }
  /// The shape of a pointwise model with `features` features.
  [[nodiscard]] Pointwise::Shape shape(Index features) const {
    return {.activation = activation,
            .weights = weights,
            .gamma = weights == WeightKind::monotone ? margin : gamma,
            .input_weights = input_weights,
            .bias = bias,
            .features = features};
  }

 private:
  void read_own_models(Options& options);
  void read_model(Options& options);
  void read_graph(Options& options);
  void read_objective(Options& options);
};

}  // namespace run
}  // namespace poise
