#include "poise_train/settings.hpp"

#include <petscsys.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

constexpr double most = 1e15;  // integers that a double holds exactly
constexpr double infinite = std::numeric_limits<double>::infinity();

bool is_set(const std::string& name) {
  PetscBool set = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, nullptr, ("-" + name).c_str(), &set));
  return set == PETSC_TRUE;
}

}  // namespace

TrainSettings TrainSettings::from(Options& o) {
  TrainSettings s;
  s.data = o.text("data", "", "the data file (HDF5; poise-data makes and shows such files); must be given");
  s.train_samples = o.integer("train_samples", 0, {0, most}, "use only the first N training samples; 0: all");
  s.seed = static_cast<std::uint64_t>(
      o.integer("seed", 0, {0, most}, "seed of the initial weights and of random features"));
  s.features = FeatureOptions::from(o, s.seed);
  s.model = o.choice("model", "softmax_linear", {"softmax_linear"},
                     "the equilibrium equation; softmax_linear: z = gamma softmax(A) z + features(x), "
                     "output B z");
  s.gamma = o.real("gamma", 0.8, {0, 1, true}, "contraction factor of the model");
  s.init_scale_a = o.real("init_scale_a", 1.0, {0, 1e6}, "entries of A start at this times N(0,1)");
  s.init_scale_b = o.real("init_scale_b", 1.0, {0, 1e6}, "entries of B start at this times N(0,1)/sqrt(m)");
  s.loss = parse_loss(o.choice("loss", "squared", {"squared", "logistic", "cross_entropy"},
                               "loss of a sample; logistic is for two classes"));
  s.mean = o.choice("loss_scale", "mean", {"mean", "sum"},
                    "the loss is the mean or the sum of the samples' losses") == "mean";
  s.objective = o.choice("objective", "collapsed", {"collapsed", "equilibrium"},
                         "how loss and gradient are computed; collapsed: by the linear function that the "
                         "model is; equilibrium: by solving an equilibrium and an adjoint for every sample");
  s.dynamics = o.choice("dynamics", "flow", {"flow", "descent"},
                        "how the parameters move; flow: gradient flow with adaptive time steps; descent: "
                        "gradient descent with -step_size");
  s.time = o.real("time", 10.0, {0}, "end time of the run; a step of descent counts as -step_size");
  s.steps = o.integer("steps", 1000000, {0, 2e9}, "the run ends after so many steps at the latest");
  s.step_size = o.real("step_size", 0.02, {0, infinite, true}, "descent: step size");
  s.audit =
      o.flag("audit", true,
             "check the bounds of Theorem 1 while the run goes on; a violated one stops it (exit code 1)");
  s.audit_every = o.integer("audit_every", 1, {1, 2e9},
                            "record and audit every Nth step; the theorem's infimum over time wants 1");
  s.run = o.text("run", "", "run directory; none: runs/DATA-DATE-TIME");
  s.resume = o.flag("resume", false,
                    "go on from the newest valid checkpoint of -run, with the options of that run; options "
                    "given here (a later -time) win");
  s.checkpoint_every =
      o.integer("checkpoint_every", 100, {0, 2e9}, "steps between checkpoints; 0: only at the end");
  s.checkpoint_keep = o.integer("checkpoint_keep", 3, {0, 1e6}, "how many checkpoints stay; 0: all");
  s.feature_ranks = static_cast<int>(
      o.integer("grid_feature_ranks", 1, {1, 1e6},
                "ranks over which one copy of the weights is spread, a divisor of the number "
                "of ranks; the samples are spread over the rest"));
  s.panel = o.integer("eq_panel", 0, {0, 1e6},
                      "objective equilibrium: samples solved at once; 0: as many as stay in cache");
  return s;
}

void declare_solvers(Options& options) {
  options.solver("flow_", "TS", "rk 5f, adaptive, tolerances 1e-8");
  options.solver("eq_", "SNES", "newtonls with full steps and GMRES, worst sample to 1e-12");
  options.solver("adj_", "KSP", "gmres, worst sample to the equilibria's tolerance");
  options.solver("collapsed_", "KSP", "gmres, worst output to 1e-13");
  options.solver("spec_", "EPS", "krylovschur, residual 3e-9");
  options.solver("spec_state_", "EPS", "krylovschur: only where the first solve of spec_ starts");
}

const std::vector<std::string>& identity_options() {
  static const std::vector<std::string> names{"data",
                                              "train_samples",
                                              "seed",
                                              "features",
                                              "features_width",
                                              "features_constant",
                                              "features_zca",
                                              "features_rank_cut",
                                              "features_bandwidth",
                                              "model",
                                              "gamma",
                                              "loss",
                                              "loss_scale",
                                              "dynamics",
                                              "step_size",
                                              "init_scale_a",
                                              "init_scale_b",
                                              "audit",
                                              "audit_every"};
  return names;
}

void recall_options(MPI_Comm comm) {
  Options before;  // of this start; those of the run are not yet known
  if (!before.flag("resume", false, "")) return;
  const std::string run = before.text("run", "", "");
  const std::string path = run + "/options.txt";
  std::string text;
  on_root(comm, [&] {
    if (run.empty()) throw bad_input("-resume needs -run DIR, the directory of the run to go on with");
    std::ifstream file(path);
    if (!file) throw bad_input("-resume: there is no " + path + "; is -run the directory of an earlier run?");
    std::stringstream content;
    content << file.rdbuf();
    text = content.str();
  });
  std::istringstream lines(broadcast(comm, text));
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    if (line.empty() || line[0] != '-') continue;
    const std::string name = line.substr(1, blank - 1);
    const std::string value = blank == std::string::npos ? "" : line.substr(blank + 1);
    if (name != "grid_feature_ranks" && !is_set(name))
      check(PetscOptionsSetValue(nullptr, ("-" + name).c_str(), value.c_str()));
  }
}

std::string options_text(const std::vector<std::pair<std::string, std::string>>& resolved) {
  const std::vector<std::string> left_out{"run", "resume"};  // they belong to one attempt, not to the run
  std::string text = "# poise-train -options_file THIS_FILE repeats the run\n";
  for (const auto& [name, value] : resolved) {
    const bool skip = std::find(left_out.begin(), left_out.end(), name) != left_out.end();
    if (!skip && !value.empty()) text += "-" + name + " " + value + "\n";
  }
  return text;
}

}  // namespace poise
