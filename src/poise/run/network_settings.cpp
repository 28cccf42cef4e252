#include "poise/run/network_settings.hpp"

#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace run {
namespace {

const Role fixes_model{Role::identity, "the stored weights belong to a different model"};
const Role fixes_start{Role::identity, "the initial weights of the run depend on it"};

std::string default_activation(const std::string& model, const std::string& objective) {
  if (objective == "feedforward" || model == "monotone") return "relu";
  return model == "pointwise" ? "tanh" : "identity";
}

void read_scales(Options& o, NetworkSettings& s) {
  s.init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6},
                          "start of the recurrent weights: this factor times their usual scale times N(0,1); "
                          "the usual scale is 1 for softmax weights, 1/(2 sqrt(m)) for others",
                          fixes_start);
  s.init_scale_v =
      o.real("init_scale_v", 1.0, {0, 1e6},
             "start of the input weights V: this factor times N(0,1)/sqrt(number of features)", fixes_start);
  s.init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6},
                          "start of the readout B: this factor times N(0,1)/sqrt(m)", fixes_start);
}

}  // namespace

/// Every registered model declares its options, chosen or not, so that -help and the checks know them.
void NetworkSettings::read_own_models(Options& o) {
  const Options::OnlyWith by_samples(o, {"objective", {"equilibrium", "unrolled"}});
  for (const RegisteredModel& registered : registered_models()) {
    const Options::OnlyWith only(o, {"model", {registered.name}});
    const std::shared_ptr<const Model> read = registered.read(o);
    if (registered.name == model) own_model = read;
  }
}

void NetworkSettings::read_model(Options& o) {
  const Options::Category category(o, "model", fixes_model);
  std::vector<std::string> names{"softmax_linear", "pointwise", "monotone", "graph"};
  std::string help =
      "the equilibrium equation for z; the output is B z; softmax_linear: z = gamma softmax(A) z + "
      "features(x); pointwise: z = a(W z + V features(x) + b); monotone: the equation of pointwise with W = "
      "(1 - margin) I - P'P + Q - Q'; graph: the equation of pointwise for all nodes of a graph at once, "
      "Z = a(W Z S + V features + b), where S brings the states of neighbours (-graph_normalise)";
  for (const RegisteredModel& own : registered_models()) {
    names.push_back(own.name);
    help += "; " + own.name + ": " + own.help;
  }
  model = o.choice("model", "softmax_linear", names, help);
  read_own_models(o);
  const bool linear = is_softmax_linear();
  objective =
      o.choice("objective", "equilibrium", {"equilibrium", "collapsed", "unrolled", "feedforward", "shallow"},
               "how loss and gradient are computed; equilibrium: solve an equilibrium (eq_) and an adjoint "
               "(adj_) for every sample; collapsed: evaluate the model softmax_linear as a linear function; "
               "it is fast, because it solves with U for q outputs and not for every sample, so choose it if "
               "you need only the loss, the gradient and the bound; unrolled: apply -depth layers of the "
               "model, starting at z = 0; without a model: feedforward: a network of -depth layers; shallow: "
               "f = W features(x)",
               fixes_loss);
  const std::string kind = o.choice("weights", "softmax", {"softmax", "spectral", "free"},
                                    "models pointwise and graph; softmax: W = gamma softmax(A); spectral: W "
                                    "= gamma A/max(1, |A|_2); free: W "
                                    "= gamma A, for which an equilibrium need not exist");
  weights = model == "monotone" ? WeightKind::monotone : parse_weights(kind);
  activation = parse_activation(o.choice(
      "activation", default_activation(model, objective), activation_names(),
      "activation a of the models pointwise (default tanh), monotone (default relu) and graph (default "
      "identity), and of the objective feedforward (default relu)"));
  gamma = o.real("gamma", 0.8, {0, 1, true}, "contraction factor of the model");
  margin = o.real("margin", 0.5, {1e-6, 1},
                  "model monotone: lower bound of the eigenvalues of the symmetric part of I - W");
  input_weights = o.flag("input_weights", !linear,
                         "train input weights V (default true for pointwise, monotone and graph); if false, "
                         "features(x) takes the "
                         "place of V features(x)");
  bias = o.flag("bias", !linear, "train biases b (default true for pointwise, monotone and graph)");
  read_graph(o);
  width = o.integer("width", has_own_width() ? 128 : 0, {has_own_width() ? 1.0 : 0.0, 1e6},
                    "state width m of models with input weights and of the objective feedforward (default "
                    "128); without input weights m is the number of features (0)");
  read_scales(o, *this);
}

/// Options of the model graph.
void NetworkSettings::read_graph(Options& o) {
  normalisation = parse_normalisation(
      o.choice("graph_normalise", "symmetric", {"symmetric", "walk", "none"},
               "model graph: S of the adjacency matrix E and the degrees D; symmetric: D^-1/2 (E + I) "
               "D^-1/2, for undirected "
               "graphs; walk: (E + I) D^-1, the mean over a node and its neighbours; none: E"));
  graph_hops = o.integer("graph_hops", 1, {1, 1000},
                         "model graph: S^K takes the place of S, so that one application of the equation "
                         "reaches nodes that are K edges away, by K products");
  normalise_states = o.flag("normalise_states", false,
                            "model graph: the output is B z/|z|_2, so that a state's direction counts alone: "
                            "states of nodes with few neighbours or far from others are small");
  const Bounds probability{.low = 0, .high = 1, .open_high = true};
  dropout = o.real("dropout", 0.0, probability,
                   "model graph: while training, every step sets each feature of each node, but for the "
                   "constant, to 0 with this probability and divides the others by 1 minus it; scores are "
                   "without dropout",
                   fixes_loss);
  dropout_states = o.real("dropout_states", 0.0, probability,
                          "model graph: the same for the entries of the states that the readout sees, after "
                          "-normalise_states",
                          fixes_loss);
}

void NetworkSettings::read_objective(Options& o) {
  const Options::Category category(o, "objective");
  depth =
      o.integer("depth", 10, {1, 1e6}, "objectives unrolled and feedforward: number of layers", fixes_loss);
  recompute_every = o.integer("recompute_every", 0, {0, 1e6},
                              "objective unrolled: keep the state of every Kth layer only and compute the "
                              "other states again in the backward pass; 0: keep all states");
  // The default solver of a linear map is direct and gains nothing from a good start.
  const bool direct = is_softmax_linear() && solves_equilibria();
  warm_start = o.flag(
      "warm_start", !direct,
      "objective equilibrium: start the equilibria and adjoints from the earlier ones of the same samples, "
      "which stay in memory (default true, but false for softmax_linear, whose solver is direct); results "
      "change within the tolerances only. If a signal stops a run between scheduled checkpoints, the resumed "
      "run equals an uninterrupted run within the tolerances with warm starts, and exactly without them");
  const std::string name =
      o.choice("backward", "exact", {"exact", "neumann", "one_step"},
               "objective equilibrium: how the adjoint is computed; exact: by a solver (adj_); neumann: by "
               "-neumann_terms terms of its Neumann series; one_step: by one term (Jacobian-free)",
               fixes_loss);
  const Index terms =
      o.integer("neumann_terms", 5, {1, 1e6}, "-backward neumann: number of terms of the series", fixes_loss);
  if (name != "exact")
    backward = {.kind = Backward::Kind::neumann, .terms = name == "one_step" ? Index{1} : terms};
  gradient_check = o.integer("gradient_check", 0, {0, 2e9},
                             "objectives equilibrium and unrolled: compare the gradient with the exact "
                             "implicit gradient at every Nth recorded step; 0: never");
  jacobian_weight =
      o.real("jacobian_weight", 0.0, {0, 1e12},
             "objective equilibrium: weight of the penalty on the size of the Jacobian", fixes_loss);
  panel =
      o.integer("eq_panel", 0, {0, 1e6},
                "number of samples that pass through the network at once; 0: as many as fit into the cache");
  // The solvers read these options themselves; declared here for -help and the record of the run.
  (void)eq_ladder_option(o);
  (void)eq_float32_option(o);
  o.real("eq_alpha", 0.0, {0, 1e6},
         "-eq_snes_type forwardbackward and peacemanrachford: step of the splitting; 0: automatic");
  (void)adj_ladder_option(o);
}

std::string NetworkSettings::description() const {
  const std::string layers = plural(depth, "layer");
  if (is_shallow()) return "shallow";
  if (is_feedforward()) return "feedforward, " + layers + ", " + to_string(activation);
  std::string text = equilibrium_model()->description();
  if (is_graph()) text += ", S " + to_string(normalisation);
  if (graph_hops > 1) text += ", " + plural(graph_hops, "hop");
  if (normalise_states) text += ", normalised states";
  if (dropout > 0.0) text += ", dropout " + to_text(dropout);
  if (dropout_states > 0.0) text += ", dropout of states " + to_text(dropout_states);
  return is_unrolled() ? text + ", unrolled to " + layers : text;
}

std::shared_ptr<const Model> NetworkSettings::equilibrium_model() const {
  if (own_model) return own_model;
  return std::make_shared<PointwiseModel>(model, shape(0));
}

NetworkSettings NetworkSettings::from(Options& options) {
  NetworkSettings settings;
  settings.read_model(options);
  settings.read_objective(options);
  return settings;
}

}  // namespace run
}  // namespace poise
