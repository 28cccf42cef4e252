#include "poise_compare/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "poise/base/option_rules.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/usage.hpp"

namespace poise::compare {
namespace {

constexpr double most_layers = 100000;

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

/// "1,4,16" as ascending numbers, each once.
std::vector<Index> parse_depths(const std::string& text) {
  std::vector<Index> depths;
  for (const std::string& word : words_of(text)) {
    Index depth = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), depth);
    if (code != std::errc() || end != word.data() + word.size() || depth < 1 || depth > most_layers)
      throw usage(fmt::format("-depths {}: '{}' is no depth; give numbers from 1 to 100000, as in 1,4,16",
                              text, word));
    depths.push_back(depth);
  }
  if (depths.empty()) throw usage("-depths is empty: give numbers, as in 1,4,16");
  std::sort(depths.begin(), depths.end());
  depths.erase(std::unique(depths.begin(), depths.end()), depths.end());
  return depths;
}

std::vector<Activation> parse_activations(const std::string& text) {
  const std::vector<std::string> known = activation_names();
  std::vector<Activation> activations;
  for (const std::string& word : words_of(text)) {
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      const std::string near = nearest_name(word, known);
      throw usage(fmt::format("-feedforward_activation {}: '{}' is no activation{}", text, word,
                              near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
    }
    const Activation activation = parse_activation(word);
    if (std::find(activations.begin(), activations.end(), activation) != activations.end())
      throw usage(fmt::format("-feedforward_activation {}: '{}' is given twice", text, word));
    activations.push_back(activation);
  }
  if (activations.empty()) throw usage("-feedforward_activation is empty: give names, as in identity,relu");
  return activations;
}

std::vector<OptionRule> compare_rules() {
  std::vector<OptionRule> rules{{"scale_targets", {{"loss", loss_names(&Loss::least_squares)}}}};
  for (const char* option :
       {"feedforward_activation", "feedforward_width", "feedforward_init", "feedforward_scale"})
    rules.push_back({option, {{"feedforward_depth", {"0"}, true}}});
  rules.push_back({"first_time", {{"points", {"2"}, true}}});
  return rules;
}

}  // namespace

std::string ModelSpec::name() const {
  switch (kind) {
    case Kind::implicit:
      return "implicit";
    case Kind::unrolled:
      return fmt::format("depth {}", depth);
    case Kind::shallow:
      return "shallow";
    case Kind::feedforward:
      break;
  }
  return linear() ? "deep linear" : to_string(activation) + " network";
}

double ModelSpec::cost() const {
  constexpr double solves = 10.0;  // products of the Krylov solves of a gradient
  if (kind == Kind::implicit) return solves;
  return 1.0 + static_cast<double>(depth);
}

CompareSettings CompareSettings::from(Options& o, const std::vector<std::string>& recalled) {
  const Options::Category category(o, "study", fixes_study());
  CompareSettings s;
  s.problem.read_data(o);
  // Declared before read_loss, with a different default than in poise-train: the study compares the W of the
  // data, not of a scaled problem.
  (void)o.flag("scale_targets", false,
               "squared loss of /targets: fit (target - mean)/scale; W, its norms and its distances then "
               "belong to the scaled problem");
  s.problem.read_loss(o);
  s.problem.network.objective = "collapsed";
  s.read_models(o);
  s.read_study(o);
  s.invocation = StudyInvocation::from(o, "directory of the study; if empty: runs/compare-DATA-DATE-TIME");
  require_effect(o, compare_rules(), recalled);
  if (!s.matched &&
      std::find(s.activations.begin(), s.activations.end(), Activation::identity) == s.activations.end())
    throw usage(
        "-feedforward_init random has an effect on the deep linear network only, which "
        "-feedforward_activation does not name: leave it out, or add identity to -feedforward_activation");
  return s;
}

void CompareSettings::read_models(Options& o) {
  gamma = o.real("gamma", 0.8, {0, 1, true}, "contraction factor of the implicit model and its truncations");
  init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6}, "start of A: this factor times N(0,1)");
  init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6},
                        "start of the readouts B: this factor times N(0,1)/sqrt(number of features)");
  depths = parse_depths(o.text("depths", "1,2,4,16", "depths H of the unrolled networks"));
  feedforward_depth = o.integer(
      "feedforward_depth", 3, {0, most_layers},
      "number of hidden layers of the feedforward networks, which have no biases; 0: no such network");
  activations = parse_activations(o.text("feedforward_activation", "identity",
                                         "activations of the feedforward networks, one network each, as in "
                                         "identity,relu; identity: the deep linear network"));
  feedforward_width = o.integer("feedforward_width", 0, {0, 1e6},
                                "width of the feedforward networks; 0: the number of features");
  matched =
      o.choice("feedforward_init", "matched", {"matched", "random"},
               "start of the deep linear network; matched: identity layers and the readout W0, so that it "
               "starts at the W0 of the implicit model; random: random layers of the seed, as in the "
               "feedforward networks with activations") == "matched";
  feedforward_scale = o.real("feedforward_scale", 1.0, {0, 1e300},
                             "start of random layers: this factor times N(0,1)/sqrt(inputs), with relu this "
                             "factor times N(0,1) sqrt(2/inputs)");
}

void CompareSettings::read_study(Options& o) {
  const Bounds times{.low = 1e-300, .high = 1e300, .unit = "of time t"};
  time = o.real("time", 10.0, times, "end time of the gradient flows");
  first_time = o.real("first_time", time / 1000.0, times, "first recorded time after 0");
  points = o.integer("points", 41, {2, 1e6},
                     "number of recorded times: 0, then from -first_time to -time with equal ratios");
  steps = o.integer("steps", 1000000, {1, 2e9},
                    "largest number of integrator steps of a flow; a flow that needs more has failed");
  seeds = o.integer("seeds", 3, {1, 1e6},
                    "seeds per model: the initial weights of -seed and of the seeds after it");
  panel =
      o.integer("eq_panel", 0, {0, 1e6},
                "number of samples that pass through a network at once; 0: as many as fit into the cache");
  save_weights =
      o.flag("save_weights", false, "store W of every linear model at all recorded times in compare.h5",
             Role{Role::free});
  problem.matrix_type = matrix_type_option(o);
  if (first_time >= time && points > 2)
    throw usage(
        fmt::format("-first_time {} is not before the end, -time {}", to_text(first_time), to_text(time)));
}

std::vector<ModelSpec> CompareSettings::models() const {
  std::vector<ModelSpec> models{{.kind = ModelSpec::Kind::implicit}};
  for (auto depth = depths.rbegin(); depth != depths.rend(); ++depth)
    models.push_back({.kind = ModelSpec::Kind::unrolled, .depth = *depth});
  models.push_back({.kind = ModelSpec::Kind::shallow});
  if (feedforward_depth == 0) return models;
  for (const Activation activation : activations)
    models.push_back(
        {.kind = ModelSpec::Kind::feedforward, .depth = feedforward_depth, .activation = activation});
  return models;
}

TrainSettings CompareSettings::member(const ModelSpec& model, Index features) const {
  TrainSettings s = problem;
  s.audit = false;
  NetworkSettings& n = s.network;
  n.gamma = gamma;
  n.init_scale_a = init_scale_a;
  n.init_scale_b = init_scale_b;
  n.panel = panel;
  switch (model.kind) {
    case ModelSpec::Kind::implicit:
      n.objective = "collapsed";
      break;
    case ModelSpec::Kind::shallow:
      n.objective = "shallow";
      break;
    case ModelSpec::Kind::unrolled:
      n.objective = "unrolled";
      n.depth = model.depth;
      break;
    case ModelSpec::Kind::feedforward:
      n.objective = "feedforward";
      n.depth = model.depth;
      n.activation = model.activation;
      n.layer_bias = false;
      n.width = feedforward_width > 0 ? feedforward_width : features;
      n.init_scale_a = feedforward_scale;
  }
  return s;
}

std::vector<double> CompareSettings::times() const {
  std::vector<double> times{0.0};
  for (Index k = 1; k + 1 < points; ++k) {
    const double share = static_cast<double>(k - 1) / static_cast<double>(points - 2);
    times.push_back(first_time * std::pow(time / first_time, share));
  }
  times.push_back(time);
  return times;
}

void declare_compare_solvers(Options& options) {
  declare_solver(options, *flow_kind());
  declare_solvers(options, {{"collapsed_"}});
}

}  // namespace poise::compare
