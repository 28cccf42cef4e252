#include "poise_compare/settings.hpp"

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
      throw usage("-depths " + text + ": '" + word +
                  "' is no depth; give numbers from 1 to 100000, as in 1,4,16");
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
      throw usage("-feedforward_activation " + text + ": '" + word + "' is no activation" +
                  (near.empty() ? "" : "; did you mean '" + near + "'?"));
    }
    const Activation activation = parse_activation(word);
    if (std::find(activations.begin(), activations.end(), activation) != activations.end())
      throw usage("-feedforward_activation " + text + ": '" + word + "' is there twice");
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

CompareSettings CompareSettings::from(Options& o) {
  const Options::Category category(o, "study");
  CompareSettings s;
  s.problem.read_data(o);
  // Declared first, so with another default than in poise-train: what is compared are the W of the data.
  (void)o.flag(
      "scale_targets", false,
      "squared loss of /targets: fit (target - mean)/scale; W, its norms and distances are then those "
      "of the scaled problem");
  s.problem.read_loss(o);
  s.problem.network.objective = "collapsed";
  s.read_models(o);
  s.read_study(o);
  require_effect(o, compare_rules());
  if (!s.matched &&
      std::find(s.activations.begin(), s.activations.end(), Activation::identity) == s.activations.end())
    throw usage(
        "-feedforward_init random is about the deep linear network, which -feedforward_activation "
        "does not name: leave it out, or add identity to -feedforward_activation");
  return s;
}

void CompareSettings::read_models(Options& o) {
  gamma = o.real("gamma", 0.8, {0, 1, true}, "contraction factor of the implicit model and its truncations");
  init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6}, "entries of A start at this times N(0,1)");
  init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6},
                        "entries of the readouts B start at this times N(0,1)/sqrt(number of features)");
  depths = parse_depths(o.text("depths", "1,2,4,16", "depths H of the unrolled networks"));
  feedforward_depth =
      o.integer("feedforward_depth", 3, {0, most_layers},
                "hidden layers of the feedforward networks, without biases; 0: no such network");
  activations =
      parse_activations(o.text("feedforward_activation", "identity",
                               "of the feedforward networks, one each, as in identity,relu; identity: "
                               "the deep linear network"));
  feedforward_width = o.integer("feedforward_width", 0, {0, 1e6}, "their width; 0: the number of features");
  matched =
      o.choice("feedforward_init", "matched", {"matched", "random"},
               "start of the deep linear network; matched: identity layers and the readout W0, so that it "
               "starts at the W0 of the implicit model; random: as the other feedforward networks, whose "
               "weights are those of the seed") == "matched";
  feedforward_scale =
      o.real("feedforward_scale", 1.0, {0, 1e300},
             "random layers start at this times N(0,1)/sqrt(inputs), relu at sqrt(2) times that");
}

void CompareSettings::read_study(Options& o) {
  const Bounds times{.low = 1e-300, .high = 1e300, .unit = "of time t"};
  time = o.real("time", 10.0, times, "end time of the gradient flows");
  first_time = o.real("first_time", time / 1000.0, times, "first recorded time after 0");
  points =
      o.integer("points", 41, {2, 1e6}, "recorded times: 0, then from -first_time to -time at equal ratios");
  steps = o.integer("steps", 1000000, {1, 2e9}, "a flow that takes more steps of the integrator has failed");
  seeds = o.integer("seeds", 3, {1, 1e6},
                    "members of every model: initial weights of -seed and the ones after it");
  member_ranks = static_cast<int>(
      o.integer("member_ranks", 1, {1, 1e6}, "ranks that work on a member; members run side by side"));
  panel = o.integer("eq_panel", 0, {0, 1e6},
                    "samples that pass through a network at once; 0: as many as stay in cache");
  save_weights = o.flag("save_weights", false, "keep W of every linear model at all times in compare.h5");
  problem.matrix_type = matrix_type_option(o);
  run = o.text("run", "", "directory of the study; none: runs/compare-DATA-DATE-TIME");
  if (first_time >= time && points > 2)
    throw usage("-first_time " + to_text(first_time) + " is not before the end, -time " + to_text(time));
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
