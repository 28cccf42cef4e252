#include "poise_sweep/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "poise/base/option_rules.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/usage.hpp"

namespace poise::sweep {
namespace {

bool inside(double value, Bounds bounds) {
  if (!std::isfinite(value)) return false;
  return bounds.open ? bounds.low < value && value < bounds.high
                     : bounds.low <= value && value <= bounds.high;
}

std::vector<double> read(Options& options, const std::string& name, const std::string& initial, Bounds bounds,
                         bool whole, const std::string& help) {
  const std::string text = options.text(name, initial, help);
  const std::string between =
      fmt::format("{}numbers {} {} {} {}", whole ? "whole " : "", bounds.open ? "between" : "from",
                  to_text(bounds.low), bounds.open ? "and" : "to", to_text(bounds.high));
  const auto refuse = [&](const std::string& why) {
    return usage(fmt::format("-{} '{}': {}; give {}, as in {}", name, text, why, between, initial));
  };
  std::vector<double> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    double value = 0.0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc() || end != word.data() + word.size()) throw refuse("'" + word + "' is no number");
    if (!inside(value, bounds) || (whole && value != std::floor(value)))
      throw refuse(word + " is not allowed");
    if (std::find(numbers.begin(), numbers.end(), value) != numbers.end())
      throw refuse(word + " is given twice");
    numbers.push_back(value);
  }
  if (numbers.empty()) throw refuse("the list is empty");
  return numbers;
}

constexpr double most = 1e15;  // integers that a double holds exactly

/// Options that have an effect in some studies only.
std::vector<OptionRule> sweep_rules() {
  std::vector<OptionRule> rules;
  const auto only = [&](const std::string& option, const std::vector<std::string>& studies) {
    rules.push_back({option, {{"study", studies}}});
  };
  only("step_factors", {"step_size"});
  only("bisections", {"step_size"});
  only("limit_every", {"step_size"});
  only("tolerances", {"inexact"});
  only("terms", {"inexact"});
  only("step_share", {"inexact"});
  only("depths", {"depth"});
  only("time", {"width", "depth"});
  only("target", {"width", "step_size", "inexact"});
  return rules;
}

}  // namespace

std::vector<double> read_numbers(Options& options, const std::string& name, const std::string& initial,
                                 Bounds bounds, const std::string& help) {
  return read(options, name, initial, bounds, false, help);
}

std::vector<double> read_integers(Options& options, const std::string& name, const std::string& initial,
                                  Bounds bounds, const std::string& help) {
  return read(options, name, initial, bounds, true, help);
}

SweepSettings SweepSettings::from(Options& o, const std::vector<std::string>& recalled) {
  const Options::Category category(o, "study", fixes_study());
  SweepSettings s;
  s.study = o.choice(
      "study", "width", {"width", "step_size", "inexact", "depth"},
      "width: gradient flow to the optimum for every width, contraction and start, with the live audit; "
      "step_size: gradient descent with multiples of the step limits as step sizes; inexact: equilibria with "
      "loose tolerances, and truncated adjoints; depth: networks of -depths layers compared with their "
      "limit");
  s.read_base(o);
  s.read_lists(o);
  s.read_study(o);
  s.invocation = StudyInvocation::from(
      o, "directory for sweep.h5, options.txt and figures; if empty: runs/sweep-STUDY-DATE-TIME");
  require_effect(o, sweep_rules(), recalled);
  return s;
}

void SweepSettings::read_base(Options& o) {
  base.data = o.text("data", "", "the data file (HDF5; poise-data makes and shows such files); must be given",
                     Role{Role::free});
  base.train_samples =
      o.integer("train_samples", 0, {0, most}, "use only the first N training samples; 0: all");
  base.seed = static_cast<std::uint64_t>(
      o.integer("seed", 0, {0, most}, "seed of random features, and the first seed of initial weights"));
  base.features = FeatureSettings::from(o, base.seed);
  if (base.features.width != 0)
    throw usage(fmt::format("-features_width {}: a sweep takes its widths, with the constant, from -widths",
                            base.features.width));
  base.mean = o.choice("loss_scale", "mean", {"mean", "sum"},
                       "the squared loss is the mean or the sum of the samples' losses") == "mean";
  base.network.init_scale_b =
      o.real("init_scale_b", 1.0, {0, 1e6}, "start of the readout B: this factor times N(0,1)/sqrt(m)");
  base.time = o.real("time", study == "depth" ? 2.0 : 1000.0, {.low = 0, .high = 1e15, .unit = "of time t"},
                     "end time of the gradient flows");
  base.steps = o.integer("steps",
                         study == "width"     ? 1000000
                         : study == "inexact" ? 400
                                              : 2000,
                         {1, 2e9}, "largest number of steps of a member");
  target = o.real("target", study == "inexact" ? 1e-8 : 1e-6, {0, 1},
                  "a member has reached L* if its excess is this share of its initial excess");
  base.matrix_type = matrix_type_option(o);
  base.network.objective = "collapsed";  // studies need losses and bounds of many members, quickly
}

void SweepSettings::read_lists(Options& o) {
  const bool width = study == "width";
  widths = read_integers(o, "widths", width ? "2,4,8,16" : "0", {0, 1e6},
                         "state widths m, including the constant feature; 0: all features of the data");
  gammas = read_numbers(o, "gammas", width ? "0.1,0.5,0.9,0.99" : "0.8", {0, 1, true}, "contraction factors");
  init_scales = read_numbers(o, "init_scales", width ? "0.1,1,3" : "1", {0, 1e6},
                             "starts of the recurrent weights A: these factors times N(0,1)");
  seeds = static_cast<std::uint64_t>(
      o.integer("seeds", width ? 3 : 1, {1, 1e6}, "number of seeds of the initial weights, from -seed on"));
  const bool fixed = base.features.map->fixed_count(1) > 0;
  for (const double m : widths) {
    if (m == 0.0) continue;
    if (fixed)
      throw usage(
          fmt::format("-widths {}: features of -features identity and -features_zca are as wide as the "
                      "inputs; give -widths 0",
                      to_text(m)));
    if (m < 2.0 && base.features.constant)
      throw usage("-widths 1: the constant feature counts, so give at least 2, or -features_constant false");
  }
}

void SweepSettings::read_study(Options& o) {
  step_factors = read_numbers(o, "step_factors", "0.25,0.5,0.9,1,1.1,1.5,2,4", {1e-6, 1e6},
                              "study step_size: multiples of the guaranteed and of the local limit");
  bisections = o.integer(
      "bisections", 8, {0, 60},
      "study step_size: number of bisections for the largest step at which the rate holds; 0: none");
  limit_every =
      o.integer("limit_every", 10, {1, 2e9},
                "study step_size: measure the limits and compare the contraction of a step with the "
                "guaranteed factor at every Nth step");
  tolerances =
      read_numbers(o, "tolerances", "1e-6,1e-3,1e-2,1e-1", {1e-15, 1},
                   "study inexact: relative tolerances of the equilibria (-eq_snes_rtol), also used for the "
                   "adjoints");
  terms = read_integers(o, "terms", "1,2,5,10", {1, 1e6},
                        "study inexact: terms of the adjoint's Neumann series; 1 is the one-step gradient");
  step_share =
      o.real("step_share", 0.5, {1e-6, 1}, "study inexact: step size over the local limit at the start");
  depths = read_integers(o, "depths", "1,2,4,8,16,32", {1, 1e5}, "study depth: numbers of layers");
}

TrainSettings SweepSettings::member(double width, double gamma, double scale, double seed) const {
  TrainSettings s = base;
  if (width > 0.0) s.features.width = static_cast<Index>(width) - (s.features.constant ? 1 : 0);
  s.network.gamma = gamma;
  s.network.init_scale_a = scale;
  s.seed = base.seed + static_cast<std::uint64_t>(seed);
  s.dynamics = flow_kind();
  s.audit_every = 1;
  return s;
}

void declare_sweep_solvers(Options& options) {
  declare_solver(options, *flow_kind());
  declare_equilibrium_solvers(options,
                              "only in study inexact; members with a tolerance: picard with this tolerance");
  declare_solvers(options, {{"collapsed_"},
                            {"spec_"},
                            {"spec_state_"},
                            {"limit_lambda_"},
                            {"limit_curvature_"},
                            {"limit_features_"}});
}

}  // namespace poise::sweep
