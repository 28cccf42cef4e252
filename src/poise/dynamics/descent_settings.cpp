#include "poise/dynamics/descent_settings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

namespace poise {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double most_steps = 2e9;
constexpr Bounds below_one{.low = 0, .high = 1, .open_high = true};

/// In the order of the enumerations.
const std::vector<std::string> methods{"gradient", "momentum", "nesterov", "adam"};
const std::vector<std::string> schedules{"constant", "cosine", "step", "linear"};

template <class Choice>
Choice choose(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<Choice>(std::find(names.begin(), names.end(), name) - names.begin());
}

void read_method(Options& o, DescentSettings& s) {
  s.step_size = o.real("step_size", s.step_size, {0, infinite, true}, "descent: step size");
  s.method = choose<DescentSettings::Method>(
      methods, o.choice("method", "gradient", methods,
                        "descent: along the gradient, with momentum (heavy ball), with Nesterov's momentum, "
                        "or by Adam"));
  s.momentum = o.real("momentum", s.momentum, below_one,
                      "methods momentum and nesterov: share of the velocity that is kept");
  s.beta1 = o.real("adam_beta1", s.beta1, below_one, "adam: decay of the mean of the gradient");
  s.beta2 = o.real("adam_beta2", s.beta2, below_one, "adam: decay of the mean of its square");
  s.epsilon = o.real("adam_epsilon", s.epsilon, {0, infinite, true}, "adam: added to the root of that mean");
  s.weight_decay = o.real("weight_decay", s.weight_decay, {0, infinite},
                          "descent: every step also takes step size times this times the parameters off "
                          "them, apart from the method (as AdamW)");
  s.clip = o.real("clip", s.clip, {0, infinite},
                  "descent: a gradient of larger 2-norm is scaled down to this; 0: off");
}

void read_schedule(Options& o, DescentSettings& s) {
  s.schedule = choose<DescentSettings::Schedule>(
      schedules, o.choice("schedule", "constant", schedules,
                          "descent: what the step size is multiplied with; cosine and linear: from 1 to "
                          "-schedule_factor at the last of -steps; step: by -schedule_factor every "
                          "-schedule_every steps"));
  s.schedule_warmup = o.integer("schedule_warmup", s.schedule_warmup, {0, most_steps},
                                "descent: the step size grows linearly over the first N steps");
  s.schedule_every =
      o.integer("schedule_every", s.schedule_every, {1, most_steps}, "schedule step: steps between changes");
  s.schedule_factor =
      o.real("schedule_factor", s.schedule_factor, {0, 1},
             "schedules cosine and linear: what is left at the end; step: factor of a change");
}

}  // namespace

DescentSettings DescentSettings::from(Options& options) {
  DescentSettings settings;
  read_method(options, settings);
  read_schedule(options, settings);
  settings.backtrack =
      options.choice("on_failure", "stop", {"stop", "backtrack"},
                     "descent: what a failed solve or a loss that is not finite does; "
                     "backtrack: take the step back and halve the step size from then on",
                     Role{Role::free}) == "backtrack";  // free: a run that failed can go on by it
  return settings;
}

double DescentSettings::schedule_at(Index k, Index max_steps) const {
  if (k < schedule_warmup) return static_cast<double>(k + 1) / static_cast<double>(schedule_warmup);
  const Index since = k - schedule_warmup;
  const auto length = static_cast<double>(std::max<Index>(1, max_steps - schedule_warmup));
  const Index changes = since / schedule_every;
  const double progress = std::min(1.0, static_cast<double>(since) / length);
  switch (schedule) {
    case Schedule::constant:
      return 1.0;
    case Schedule::cosine:
      return schedule_factor + (1.0 - schedule_factor) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    case Schedule::step:
      return std::pow(schedule_factor, static_cast<double>(changes));
    case Schedule::linear:
      return 1.0 + (schedule_factor - 1.0) * progress;
  }
  return 1.0;
}

}  // namespace poise
