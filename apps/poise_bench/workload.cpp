#include "poise_bench/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "poise/base/random.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/usage.hpp"
#include "poise_bench/graph_case.hpp"

namespace poise::bench {
namespace {

constexpr double most = 1e9;

const std::vector<std::string> single_cases = {"product",   "collapsed", "equilibrium", "equilibrium_gmres",
                                               "tanh_cold", "tanh_warm", "hard",        "lambda_min",
                                               "graph"};

/// "1,4,16" as ascending numbers.
std::vector<Index> parse_depths(const std::string& text) {
  std::vector<Index> depths;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    Index depth = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), depth);
    if (code != std::errc() || end != word.data() + word.size() || depth < 1 || depth > 1000000)
      throw usage(fmt::format("-depths {}: give numbers from 1 to 1000000, as in 1,4,16", text));
    depths.push_back(depth);
  }
  if (depths.empty()) throw usage("-depths is empty: give numbers, as in 1,4,16");
  std::sort(depths.begin(), depths.end());
  return depths;
}

void read_cases(Options& o, BenchSettings& s) {
  std::vector<std::string> cases = single_cases;
  cases.insert(cases.end(), {"memory", "depth_memory", "scaling", "all"});
  s.name = o.choice("case", "all", cases,
                    "the case to measure; all: product, collapsed, equilibrium, tanh_cold, tanh_warm, hard, "
                    "lambda_min");
  s.scaling_of = o.choice("scaling_of", "equilibrium", single_cases,
                          "-case scaling: the case that runs on one rank and on all ranks in turn");
  s.weak = o.choice("scaling", "strong", {"strong", "weak"},
                    "-case scaling: the same problem on all ranks (strong), or n samples per rank (weak)") ==
           "weak";
  s.depths =
      parse_depths(o.text("depths", "1,4,16,64", "-case depth_memory: depths of the unrolled network"));
  s.recompute_every =
      o.integer("recompute_every", 0, {0, most},
                "-case depth_memory: the unrolled network keeps every Kth state; 0: all states");
  s.plain_samples = o.integer("plain_samples", s.plain_samples, {1, most},
                              "-case hard: number of samples per rank for plain iteration; its time is "
                              "scaled to n samples");
  s.relative_step = o.real("relative_step", s.relative_step, {0, 1},
                           "-case tanh_warm: |step| between two gradients, relative to |theta|");
}

void read_graph(Options& o, BenchSettings& s) {
  s.graph = o.choice("graph", "grid", {"grid", "chain", "rmat"},
                     "-case graph: a square grid, chains of 1000 nodes, or R-MAT");
  s.nodes = o.integer("nodes", s.nodes, {2, most},
                      "-case graph: nodes; of a grid the next smaller square; with -scaling weak per rank");
  s.degree = o.real("degree", 49, {0, 1e6},
                    "-graph rmat: mean number of neighbours, before doubles and self-loops are removed");
  s.activation = parse_activation(o.choice("activation", "identity", {"identity", "tanh", "relu"},
                                           "-case graph: activation; the injection is N(0,1), or 0.05 N(0,1) "
                                           "if it is not the identity"));
  s.plain_factor = o.real("plain_factor", 60, {0, 1e9},
                          "-case graph: plain iteration stops at this many times the seconds of the solve");
}

/// Options that have an effect in one case only; -case scaling runs the case -scaling_of.
std::vector<OptionRule> bench_rules() {
  const OptionCondition scaling{"case", {"scaling"}};
  const OptionCondition depth{"case", {"depth_memory"}};
  const auto case_or_scaling_of = [](const std::string& name) -> std::vector<OptionCondition> {
    return {{"case", {name, "all"}}, {"scaling_of", {name}}};
  };
  const std::vector<OptionCondition> graph{{"case", {"graph"}}, {"scaling_of", {"graph"}}};
  return {{"graph", graph},
          {"nodes", graph},
          {"degree", {{"graph", {"rmat"}}}},
          {"activation", graph},
          {"plain_factor", {{"case", {"graph"}}}},
          {"scaling_of", {scaling}},
          {"scaling", {scaling}},
          {"depths", {depth}},
          {"recompute_every", {depth}},
          {"plain_samples", case_or_scaling_of("hard")},
          {"relative_step", case_or_scaling_of("tanh_warm")}};
}

void check(const BenchSettings& s) {
  if (s.loss->targets() == Targets::binary && s.q != 1)
    throw usage(fmt::format("-loss {} has one output: add -q 1", s.loss->name()));
  if (s.loss->targets() == Targets::classes && s.q < 2)
    throw usage(fmt::format("-loss {} needs at least two outputs: raise -q", s.loss->name()));
  if (s.gamma == 1.0) throw usage("-gamma 1 does not contract: choose less");
  const bool fixed = s.scaling_of == "product" || s.scaling_of == "collapsed" || s.scaling_of == "lambda_min";
  if (s.name == "scaling" && s.weak && fixed)
    throw usage(fmt::format(
        "-scaling weak grows the samples, on which {} does not depend: choose a different -scaling_of",
        s.scaling_of));
}

/// Standard normal features; labels, or for the squared loss standard normal targets.
SampleSet draw_samples(const ParameterLayout& layout, const BenchSettings& settings, double scale, Index n) {
  const CounterRandom features(settings.seed, Stream::synthetic_inputs);
  const CounterRandom targets(settings.seed, Stream::synthetic_noise);
  const Range columns = layout.grid().samples(n);
  const Range rows = layout.block();
  const Index q = layout.outputs();
  SampleSet set{n, columns.size(), {}, {}};
  set.features.reserve(static_cast<std::size_t>(rows.size() * columns.size()));
  set.targets.reserve(static_cast<std::size_t>(q * columns.size()));
  for (Index i = columns.begin; i < columns.end; ++i) {
    for (Index k = rows.begin; k < rows.end; ++k) set.features.push_back(scale * features.normal(i, k));
    const auto label = static_cast<Index>(targets.uniform(i) * static_cast<double>(q == 1 ? 2 : q));
    for (Index c = 0; c < q; ++c) {
      if (settings.loss->targets() == Targets::reals) set.targets.push_back(targets.normal(i, c + 1));
      if (settings.loss->targets() == Targets::binary) set.targets.push_back(static_cast<double>(label));
      if (settings.loss->targets() == Targets::classes) set.targets.push_back(c == label ? 1.0 : 0.0);
    }
  }
  return set;
}

}  // namespace

BenchSettings BenchSettings::from(Options& o) {
  const Options::Category category(o, "bench");
  BenchSettings s;
  read_cases(o, s);
  read_graph(o, s);
  s.m = o.integer("m", 0, {0, most}, "state width; 0: 512, for hard 256, for graph 16");
  s.n = o.integer("n", s.n, {1, most}, "number of samples; with -case memory and -scaling weak per rank");
  s.q = o.integer("q", s.q, {1, most}, "number of outputs");
  s.gamma =
      o.real("gamma", 0.0, {0, 1}, "factor of the recurrent weights; 0 means 0.9, for hard and graph 0.99");
  s.repeat = o.integer(
      "repeat", 0, {0, most},
      "number of measured runs, after warm-up runs; 0 means 15, for tanh_warm 20, for depth_memory and "
      "graph 3");
  s.seed = static_cast<std::uint64_t>(o.integer("seed", 0, {0, most}, "seed of weights and samples"));
  s.init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6},
                          "weights A: this factor times N(0,1), in the tanh cases times N(0,1)/(2 sqrt(m))");
  s.init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6}, "readout B: this factor times N(0,1)/sqrt(m)");
  s.loss = find_loss(o.choice("loss", "cross_entropy", loss_names(), "loss of a sample"));
  s.feature_ranks = static_cast<int>(
      o.integer("grid_feature_ranks", 1, {1, 1e6}, "number of ranks that share one copy of the weights"));
  s.panel = o.integer("eq_panel", 0, {0, 1e6},
                      "number of samples solved at once; 0: as many as fit into the cache");
  s.dgemm_size = o.integer("dgemm_size", s.dgemm_size, {1, 1e5},
                           "rows of the square matrices of the dgemm with which all times are compared");
  s.matrix_type = matrix_type_option(o);
  s.out = o.text("out", "", "also write the results to this file, FILE.csv or FILE.h5");
  require_effect(o, bench_rules());
  check(s);
  return s;
}

BenchSettings BenchSettings::of(const std::string& case_name) const {
  BenchSettings s = *this;
  const bool hard = case_name == "hard";
  const bool graph = case_name == "graph";
  if (s.m == 0) s.m = hard ? 256 : graph ? 16 : 512;
  if (s.gamma == 0.0) s.gamma = hard || graph ? 0.99 : 0.9;
  if (graph) s.n = graph_nodes(s);
  const Index runs = case_name == "tanh_warm" ? 20 : case_name == "depth_memory" || graph ? 3 : 15;
  if (s.repeat == 0) s.repeat = runs;
  return s;
}

void declare_bench_solvers(Options& options) {
  declare_equilibrium_solvers(options,
                              "tolerance of the worst sample 1e-10, in the tanh cases and hard 1e-8");
  declare_solvers(
      options, {{"eq_scalar_"}, {"adj_scalar_"}, {"collapsed_", "here 1e-10"}, {"spec_"}, {"spec_state_"}});
}

Recipe Recipe::of(const std::string& case_name, const BenchSettings& settings) {
  Recipe recipe;
  const bool tanh = case_name == "tanh_cold" || case_name == "tanh_warm" || case_name == "depth_memory";
  const bool linear = !tanh && case_name != "hard";
  recipe.shape = {.activation = linear ? Activation::identity : Activation::tanh,
                  .weights = tanh ? WeightKind::free : WeightKind::softmax,
                  .gamma = settings.gamma};
  if (tanh || case_name == "hard") recipe.rtol = 1e-8;
  if (case_name == "hard") recipe.feature_scale = 0.02;
  recipe.warm = case_name == "tanh_warm";
  if (case_name == "graph") {
    recipe.shape.activation = settings.activation;
    recipe.rtol = 1e-8;
    recipe.feature_scale = settings.activation == Activation::identity ? 1.0 : 0.05;
  }
  return recipe;
}

Workload::Workload(MPI_Comm comm, const std::string& case_name, const BenchSettings& settings, Index samples,
                   int feature_ranks)
    : recipe(Recipe::of(case_name, settings)),
      grid(comm, feature_ranks),
      layout(grid, settings.m, settings.q, Pointwise::blocks(recipe.shape, settings.m), settings.matrix_type),
      problem{
          settings.loss, true, settings.q, draw_samples(layout, settings, recipe.feature_scale, samples), {}},
      theta(layout.create()),
      gradient(layout.create()) {
  layout.initialise(theta.get(), settings.seed, settings.init_scale_a, settings.init_scale_b);
}

}  // namespace poise::bench
