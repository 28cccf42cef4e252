#include "poise/run/train_rules.hpp"

#include "poise/model/loss.hpp"

namespace poise {
inline namespace run {
namespace {

using Rules = std::vector<OptionRule>;

// The first four say which objectives have a model, go through the samples of a model, go through samples
// (and so may take minibatches), and solve for equilibria.
const OptionCondition with_model{"objective", {"equilibrium", "collapsed", "unrolled"}};
const OptionCondition by_samples_of_model{"objective", {"equilibrium", "unrolled"}};
const OptionCondition by_samples{"objective", {"equilibrium", "unrolled", "feedforward", "shallow"}};
const OptionCondition by_equilibria{"objective", {"equilibrium"}};
const OptionCondition with_own_weights{"model", {"pointwise", "monotone", "graph"}};
const OptionCondition on_graph{"model", {"graph"}};
const OptionCondition not_on_graph{"model", {"graph"}, true};
const OptionCondition checked{"gradient_check", {"0"}, true};
const OptionCondition in_batches{"batch", {"0"}, true};

const Rules of_network{
    {"model", {by_samples_of_model}},
    {"weights", {by_samples_of_model}},
    {"weights", {{"model", {"pointwise", "graph"}}}},
    {"activation", {with_own_weights, {"objective", {"feedforward"}}}},
    {"activation", {{"objective", {"equilibrium", "unrolled", "feedforward"}}}},
    {"gamma", {with_model}},
    {"gamma", {{"model", {"softmax_linear", "pointwise", "graph"}}}},
    {"margin", {by_samples_of_model}},
    {"margin", {{"model", {"monotone"}}}},
    {"input_weights", {by_samples_of_model}},
    {"input_weights", {with_own_weights}},
    {"bias", {by_samples_of_model}},
    {"bias", {with_own_weights}},
    {"init_scale_a", {{"objective", {"equilibrium", "collapsed", "unrolled", "feedforward"}}}},
    {"init_scale_v", {by_samples_of_model}},
    {"init_scale_v", {{"input_weights", {"true"}}}},
    {"init_scale_a", {{"start_from", {""}}}},
    {"init_scale_v", {{"start_from", {""}}}},
    {"init_scale_b", {{"start_from", {""}}}},
};

const Rules of_graph{
    {"graph_normalise", {on_graph}},     {"graph_hops", {on_graph}},
    {"normalise_states", {on_graph}},    {"dropout", {on_graph}},
    {"dropout_states", {on_graph}},      {"split", {on_graph}},
    {"train_samples", {not_on_graph}},   {"validation_fraction", {not_on_graph}},
    {"backward", {not_on_graph}},        {"gradient_check", {not_on_graph}},
    {"jacobian_weight", {not_on_graph}}, {"eq_panel", {not_on_graph}},
    {"recompute_every", {not_on_graph}},
};

const Rules of_objective{
    {"depth", {{"objective", {"unrolled", "feedforward"}}}},
    {"recompute_every", {{"objective", {"unrolled"}}}},
    {"warm_start", {by_equilibria}},
    {"backward", {by_equilibria}},
    {"neumann_terms", {{"backward", {"neumann"}}}},
    {"gradient_check", {by_samples_of_model}},
    {"jacobian_weight", {by_equilibria}},
    {"eq_panel", {by_samples}},
    {"mat_type", {{"grid_feature_ranks", {"1"}}}},
};

/// Rules for options of the run that only some dynamics use.
Rules of_dynamics(const DynamicsKinds& kinds) {
  const OptionCondition by_time{"dynamics", kinds.names_where(&DynamicsKind::ends_at_time)};
  const OptionCondition by_minibatches{"dynamics", kinds.names_where(&DynamicsKind::takes_minibatches)};
  const OptionCondition by_any_gradient{"dynamics",
                                        kinds.names_where(&DynamicsKind::takes_inexact_gradients)};
  return {{"backward", {by_any_gradient}},  {"time", {by_time}},
          {"time", {{"epochs", {"0"}}}},    {"epochs", {by_minibatches}},
          {"epochs", {in_batches}},         {"batch", {by_minibatches}},
          {"batch", {by_samples}},          {"batch_remainder", {by_minibatches}},
          {"batch_remainder", {in_batches}}};
}

Rules joined(std::initializer_list<Rules> parts) {
  Rules all;
  for (const Rules& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

std::vector<OptionRule> train_rules(const DynamicsKinds& kinds) {
  // Made in every call, because a program may have registered its own losses in the meantime.
  const Rules of_loss{{"scale_targets", {{"loss", loss_names(&Loss::least_squares)}}}};
  return joined({of_network, of_graph, of_objective, of_loss, of_dynamics(kinds), kinds.rules()});
}

std::vector<OptionRule> train_solver_rules() {
  const OptionCondition exact{"backward", {"exact"}};
  const OptionCondition mean_field{"eq_snes_type", {"", "meanfield", "composite"}};
  Rules rules{{"eq_ladder", {by_equilibria, checked}},
              {"eq_ladder", {not_on_graph}},
              {"adj_ladder", {not_on_graph}},
              {"eq_float32", {not_on_graph}},
              {"eq_scalar_*", {on_graph}},
              {"adj_scalar_*", {on_graph}},
              {"eq_float32", {by_equilibria, checked}},
              {"eq_float32",
               {mean_field,
                {"eq_npc_snes_type", {"meanfield"}},
                {"eq_ksp_type", {"meanfield"}},
                {"adj_ksp_type", {"meanfield"}}}},
              {"eq_alpha", {by_equilibria, checked}},
              {"eq_alpha", {{"eq_snes_type", {"forwardbackward", "peacemanrachford"}}}},
              {"eq_*", {by_equilibria, checked}},
              {"adj_ladder", {by_equilibria, checked}},
              {"adj_ladder", {exact, checked}},
              {"adj_*", {by_equilibria, checked}},
              {"adj_*", {exact, checked}},
              {"collapsed_*", {{"objective", {"collapsed"}}, {"audit", {"true"}}}},
              {"spec_*", {{"audit", {"true"}}}}};
  const DynamicsKinds kinds;
  for (const auto& kind : kinds.all())
    if (const std::string prefix = kind->solver().prefix; !prefix.empty())
      rules.push_back({prefix + "*", {{"dynamics", {kind->name()}}}});
  return rules;
}

}  // namespace run
}  // namespace poise
