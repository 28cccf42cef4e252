#include "poise_bench/settings.hpp"

#include "poise/base/error.hpp"

namespace poise {

BenchSettings BenchSettings::from(Options& o) {
  constexpr double most = 1e9;
  BenchSettings s;
  s.name = o.choice("case", "all",
                    {"product", "collapsed", "equilibrium", "lambda_min", "memory", "scaling", "all"},
                    "what is measured; all: the first four");
  s.scaling_of = o.choice("scaling_of", "equilibrium", {"product", "collapsed", "equilibrium", "lambda_min"},
                          "-case scaling: what runs on one rank and on all of them in turn");
  s.m = o.integer("m", s.m, {1, most}, "state width");
  s.n = o.integer("n", s.n, {1, most}, "samples; -case memory: samples of each rank");
  s.q = o.integer("q", s.q, {1, most}, "outputs");
  s.gamma = o.real("gamma", s.gamma, {0, 1, true}, "contraction factor of the model");
  s.repeat =
      o.integer("repeat", s.repeat, {1, most}, "measured runs; one more comes first and is not counted");
  s.seed = static_cast<std::uint64_t>(o.integer("seed", 0, {0, most}, "seed of weights and samples"));
  s.init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6}, "A is this times N(0,1)");
  s.init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6}, "B is this times N(0,1)/sqrt(m)");
  s.loss = parse_loss(
      o.choice("loss", "cross_entropy", {"squared", "logistic", "cross_entropy"}, "loss of a sample"));
  s.feature_ranks = static_cast<int>(
      o.integer("grid_feature_ranks", 1, {1, 1e6}, "ranks over which one copy of the weights is spread"));
  s.panel = o.integer("eq_panel", 0, {0, 1e6}, "samples solved at once; 0: as many as stay in cache");
  s.dgemm_size = o.integer("dgemm_size", s.dgemm_size, {1, 1e5},
                           "rows of the square product every time is compared with");
  if (s.loss == LossKind::logistic && s.q != 1)
    throw Error(ExitCode::bad_input, "-loss logistic has one output: add -q 1", true);
  if (s.loss == LossKind::cross_entropy && s.q < 2)
    throw Error(ExitCode::bad_input, "-loss cross_entropy needs at least two outputs: raise -q", true);
  return s;
}

void declare_bench_solvers(Options& options) {
  options.solver("eq_", "SNES", "newtonls with full steps and GMRES, worst sample to 1e-10");
  options.solver("adj_", "KSP", "gmres, worst sample to the equilibria's tolerance");
  options.solver("collapsed_", "KSP", "gmres, worst output to 1e-10");
  options.solver("spec_", "EPS", "krylovschur, residual 3e-9");
  options.solver("spec_state_", "EPS", "krylovschur: only where the first solve of spec_ starts");
}

}  // namespace poise
