#include "poise_bench/settings.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/solvers.hpp"
#include "poise_bench/output.hpp"

namespace poise::bench {
namespace {

constexpr double most = 1e9;

const std::vector<std::string> single_cases = {"product",   "collapsed", "equilibrium", "equilibrium_gmres",
                                               "tanh_cold", "tanh_warm", "hard",        "lambda_min"};

/// "1,4,16" as ascending numbers.
std::vector<Index> parse_depths(const std::string& text) {
  std::vector<Index> depths;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    Index depth = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), depth);
    if (code != std::errc() || end != word.data() + word.size() || depth < 1 || depth > 1000000)
      throw Error(ExitCode::bad_input, "-depths " + text + ": give numbers from 1 to 1000000, as in 1,4,16",
                  true);
    depths.push_back(depth);
  }
  if (depths.empty()) throw Error(ExitCode::bad_input, "-depths is empty: give numbers, as in 1,4,16", true);
  std::sort(depths.begin(), depths.end());
  return depths;
}

void read_cases(Options& o, BenchSettings& s) {
  std::vector<std::string> cases = single_cases;
  cases.insert(cases.end(), {"memory", "depth_memory", "scaling", "all"});
  s.name = o.choice("case", "all", cases,
                    "what is measured; all: product, collapsed, equilibrium, tanh_cold, tanh_warm, hard, "
                    "lambda_min");
  s.scaling_of = o.choice("scaling_of", "equilibrium", single_cases,
                          "-case scaling: what runs on one rank and on all of them in turn");
  s.weak = o.choice("scaling", "strong", {"strong", "weak"},
                    "-case scaling: the same problem on all ranks, or n samples for each of them") == "weak";
  s.depths =
      parse_depths(o.text("depths", "1,4,16,64", "-case depth_memory: depths of the unrolled network"));
  s.recompute_every = o.integer("recompute_every", 0, {0, most},
                                "-case depth_memory: the unrolled network keeps every k-th state; 0: all");
  s.plain_samples = o.integer("plain_samples", s.plain_samples, {1, most},
                              "-case hard: samples of a rank that plain iteration solves for; its time is "
                              "scaled to n samples");
  s.relative_step = o.real("relative_step", s.relative_step, {0, 1},
                           "-case tanh_warm: |step| between gradients over |theta|");
}

/// What belongs to one case; of -case scaling, which runs another case, to that.
std::vector<OptionRule> bench_rules() {
  const OptionCondition scaling{"case", {"scaling"}};
  const OptionCondition depth{"case", {"depth_memory"}};
  const auto case_or_scaling_of = [](const std::string& name) -> std::vector<OptionCondition> {
    return {{"case", {name, "all"}}, {"scaling_of", {name}}};
  };
  return {{"scaling_of", {scaling}},
          {"scaling", {scaling}},
          {"depths", {depth}},
          {"recompute_every", {depth}},
          {"plain_samples", case_or_scaling_of("hard")},
          {"relative_step", case_or_scaling_of("tanh_warm")}};
}

void check(const BenchSettings& s) {
  const auto refuse = [](const std::string& message) { throw Error(ExitCode::bad_input, message, true); };
  if (s.loss->targets() == Targets::binary && s.q != 1)
    refuse("-loss " + s.loss->name() + " has one output: add -q 1");
  if (s.loss->targets() == Targets::classes && s.q < 2)
    refuse("-loss " + s.loss->name() + " needs at least two outputs: raise -q");
  if (s.gamma == 1.0) refuse("-gamma 1 does not contract: choose less");
  const bool fixed = s.scaling_of == "product" || s.scaling_of == "collapsed" || s.scaling_of == "lambda_min";
  if (s.name == "scaling" && s.weak && fixed)
    refuse("-scaling weak grows the samples, on which " + s.scaling_of +
           " does not depend: choose another -scaling_of");
}

}  // namespace

BenchSettings BenchSettings::from(Options& o) {
  const Options::Category category(o, "bench");
  BenchSettings s;
  read_cases(o, s);
  s.m = o.integer("m", 0, {0, most}, "state width; 0: 512, of hard 256");
  s.n = o.integer("n", s.n, {1, most}, "samples; -case memory, -scaling weak: samples of each rank");
  s.q = o.integer("q", s.q, {1, most}, "outputs");
  s.gamma = o.real("gamma", 0.0, {0, 1}, "factor of the recurrent weights; 0: 0.9, of hard 0.99");
  s.repeat =
      o.integer("repeat", 0, {0, most},
                "measured runs, after those that are not counted; 0: 15, of tanh_warm 20, of depth_memory 3");
  s.seed = static_cast<std::uint64_t>(o.integer("seed", 0, {0, most}, "seed of weights and samples"));
  s.init_scale_a =
      o.real("init_scale_a", 1.0, {0, 1e6}, "A is this times N(0,1), of the tanh cases N(0,1)/(2 sqrt(m))");
  s.init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6}, "B is this times N(0,1)/sqrt(m)");
  s.loss = find_loss(o.choice("loss", "cross_entropy", loss_names(), "loss of a sample"));
  s.feature_ranks = static_cast<int>(
      o.integer("grid_feature_ranks", 1, {1, 1e6}, "ranks over which one copy of the weights is spread"));
  s.panel = o.integer("eq_panel", 0, {0, 1e6}, "samples solved at once; 0: as many as stay in cache");
  s.dgemm_size = o.integer("dgemm_size", s.dgemm_size, {1, 1e5},
                           "rows of the square product every time is compared with");
  s.matrix_type = matrix_type_option(o);
  s.out = o.text("out", "", "FILE.csv or FILE.h5 that gets the results, too");
  require_effect(o, bench_rules());
  check(s);
  check_output_name(s.out);
  return s;
}

BenchSettings BenchSettings::of(const std::string& case_name) const {
  BenchSettings s = *this;
  const bool hard = case_name == "hard";
  if (s.m == 0) s.m = hard ? 256 : 512;
  if (s.gamma == 0.0) s.gamma = hard ? 0.99 : 0.9;
  const Index runs = case_name == "tanh_warm" ? 20 : case_name == "depth_memory" ? 3 : 15;
  if (s.repeat == 0) s.repeat = runs;
  return s;
}

void declare_bench_solvers(Options& options) {
  declare_solvers(options, {{"eq_", "worst sample to 1e-10, of tanh and hard to 1e-8"},
                            {"eq_mixed_"},
                            {"eq_newton_"},
                            {"eq_anderson_"},
                            {"adj_"},
                            {"adj_mixed_"},
                            {"adj_gmres_"},
                            {"collapsed_", "here to 1e-10"},
                            {"spec_"},
                            {"spec_state_"}});
}

}  // namespace poise::bench
