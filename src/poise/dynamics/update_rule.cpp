#include "poise/dynamics/update_rule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace poise {
inline namespace dynamics {
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
                      "methods momentum and nesterov: share of the velocity that a step keeps");
  s.beta1 = o.real("adam_beta1", s.beta1, below_one, "adam: decay rate of the running mean of the gradient");
  s.beta2 = o.real("adam_beta2", s.beta2, below_one,
                   "adam: decay rate of the running mean of the squared gradient");
  s.epsilon = o.real("adam_epsilon", s.epsilon, {0, infinite, true},
                     "adam: added to the root of the mean squared gradient");
  s.weight_decay = o.real("weight_decay", s.weight_decay, {0, infinite},
                          "descent: every step also subtracts step size times this times the parameters, "
                          "independently of the method (as AdamW)");
  s.clip = o.real("clip", s.clip, {0, infinite},
                  "descent: a gradient with a larger 2-norm is scaled to this norm; 0: off");
}

void read_schedule(Options& o, DescentSettings& s) {
  s.schedule = choose<DescentSettings::Schedule>(
      schedules, o.choice("schedule", "constant", schedules,
                          "descent: factor of the step size; cosine and linear: from 1 to -schedule_factor "
                          "at the last of -steps; step: times -schedule_factor every -schedule_every "
                          "steps"));
  s.schedule_warmup = o.integer("schedule_warmup", s.schedule_warmup, {0, most_steps},
                                "descent: the step size grows linearly over the first N steps");
  s.schedule_every = o.integer("schedule_every", s.schedule_every, {1, most_steps},
                               "schedule step: steps between two changes of the step size");
  s.schedule_factor =
      o.real("schedule_factor", s.schedule_factor, {0, 1},
             "schedules cosine and linear: factor of the step size at the end; step: factor per change");
}

}  // namespace

DescentSettings DescentSettings::from(Options& options) {
  DescentSettings settings;
  read_method(options, settings);
  read_schedule(options, settings);
  settings.backtrack =
      options.choice("on_failure", "stop", {"stop", "backtrack"},
                     "descent: after a failed solve or a loss that is not finite, stop the run, "
                     "or backtrack: undo the step and halve the step size for the rest of the run",
                     Role{Role::free}) == "backtrack";  // free: a failed run can be resumed with backtracking
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

using Method = DescentSettings::Method;

UpdateRule::UpdateRule(const DescentSettings& settings, Vec theta_like) : settings_(settings) {
  if (settings.method != Method::gradient) first_ = duplicate(theta_like);
  if (settings.method == Method::adam) second_ = duplicate(theta_like);
  reset();
}

void UpdateRule::reset() {
  for (const auto& [name, vec] : vectors()) check(VecSet(vec, 0.0));
}

std::vector<std::pair<std::string, Vec>> UpdateRule::vectors() const {
  switch (settings_.method) {
    case Method::gradient:
      return {};
    case Method::momentum:
    case Method::nesterov:
      return {{"momentum", first_.get()}};
    case Method::adam:
      return {{"adam_first", first_.get()}, {"adam_second", second_.get()}};
  }
  return {};
}

void UpdateRule::apply(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step) {
  switch (settings_.method) {
    case Method::gradient:
      return plain(theta, gradient, gradient_factor, step_size);
    case Method::momentum:
    case Method::nesterov:
      return with_momentum(theta, gradient, gradient_factor, step_size);
    case Method::adam:
      return adam(theta, gradient, gradient_factor, step_size, step);
  }
}

void UpdateRule::plain(Vec theta, Vec gradient, double gradient_factor, double step_size) const {
  check(VecAXPBY(theta, -step_size * gradient_factor, 1.0 - step_size * settings_.weight_decay, gradient));
}

void UpdateRule::with_momentum(Vec theta, Vec gradient, double gradient_factor, double step_size) {
  const double mu = settings_.momentum;
  const double keep = 1.0 - step_size * settings_.weight_decay;
  // Weights of g and v: (1, μ) in Nesterov's direction g + μv, (0, 1) in the heavy ball's direction v.
  const bool nesterov = settings_.method == Method::nesterov;
  const double of_gradient = nesterov ? gradient_factor : 0.0;
  const double of_velocity = nesterov ? mu : 1.0;
  const ReadArray gradient_entries(gradient);
  WriteArray theta_entries(theta), velocity_entries(first_.get());
  const double* const g = gradient_entries.data();
  double* const x = theta_entries.data();
  double* const v = velocity_entries.data();
  const std::size_t size = gradient_entries.span().size();
  for (std::size_t i = 0; i < size; ++i) {
    v[i] = mu * v[i] + gradient_factor * g[i];
    x[i] = keep * x[i] - step_size * (of_gradient * g[i] + of_velocity * v[i]);
  }
}

void UpdateRule::adam(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step) {
  const double beta1 = settings_.beta1;
  const double beta2 = settings_.beta2;
  const double epsilon = settings_.epsilon;
  const double keep = 1.0 - step_size * settings_.weight_decay;
  const auto count = static_cast<double>(step + 1);
  const double correction1 = 1.0 / (1.0 - std::pow(beta1, count));
  const double correction2 = 1.0 / (1.0 - std::pow(beta2, count));
  const ReadArray gradient_entries(gradient);
  WriteArray theta_entries(theta), first_entries(first_.get()), second_entries(second_.get());
  const double* const g = gradient_entries.data();
  double* const x = theta_entries.data();
  double* const m = first_entries.data();
  double* const v = second_entries.data();
  const std::size_t size = gradient_entries.span().size();
  for (std::size_t i = 0; i < size; ++i) {
    const double gi = gradient_factor * g[i];
    m[i] = beta1 * m[i] + (1.0 - beta1) * gi;
    v[i] = beta2 * v[i] + (1.0 - beta2) * gi * gi;
    x[i] = keep * x[i] - step_size * correction1 * m[i] / (std::sqrt(correction2 * v[i]) + epsilon);
  }
}

}  // namespace dynamics
}  // namespace poise
