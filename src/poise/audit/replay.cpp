#include "poise/audit/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace audit {
namespace {

void copy(Vec from, Vec to) {
  check(VecCopy(from, to));
}

/// Whether an option belongs to a solver of PETSc. Such options do not identify a run, but change its steps.
bool of_a_solver(const std::string& name, const DynamicsKind& dynamics) {
  constexpr std::array prefixes{"eq_", "adj_", "collapsed_"};
  const std::string own = dynamics.solver().prefix;
  return (!own.empty() && name.starts_with(own)) ||
         std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const char* prefix) { return name.starts_with(prefix); });
}

}  // namespace

double norm(Vec vec) {
  double value = 0.0;
  check(VecNorm(vec, NORM_2, &value));
  return value;
}

Replay::Replay(Subject& subject, const RunCheckpoints& files, Index most_steps)
    : subject_(subject), files_(files), wanted_(files.points().size(), 0) {
  if (!why_not().empty()) return;
  Index left = most_steps;
  for (std::size_t k = wanted_.size(); k-- > 0;) {
    const std::string reason = why_not(k);
    if (!reason.empty()) {
      skipped_ = reason;
      continue;
    }
    if (steps_of(k) > left) break;
    left -= steps_of(k);
    wanted_[k] = 1;
  }
}

std::string Replay::why_not() const {
  return subject_.settings().dynamics->why_not_repeatable();
}

/// Why interval k cannot be replayed with the settings of the newest checkpoint; empty if it can.
std::string Replay::why_not(std::size_t k) const {
  const auto& mine = files_.points()[k].config;
  const auto& newest = files_.points().back().config;
  for (const auto* list : {&mine, &newest})
    for (const auto& [name, value] : *list)
      if (of_a_solver(name, *subject_.settings().dynamics) &&
          !same_value(files_.points()[k].option(name), files_.points().back().option(name)))
        return "intervals with a different -" + name;
  return {};
}

Index Replay::steps_of(std::size_t k) const {
  return files_.points()[k].step - (k == 0 ? 0 : files_.points()[k - 1].step);
}

double Replay::end_time(std::size_t k) const {
  const bool by_time = subject_.settings().epochs == 0 && subject_.settings().dynamics->ends_at_time();
  if (!by_time) return std::numeric_limits<double>::infinity();
  const std::string time = files_.points()[k].option("time");
  return time.empty() ? subject_.settings().time : std::stod(time);
}

/// The run's last step at the time of checkpoint k, because schedules of step sizes depend on it.
Index Replay::max_steps(std::size_t k) const {
  const auto number = [&](const char* name, Index otherwise) {
    const std::string value = files_.points()[k].option(name);
    return value.empty() ? otherwise : static_cast<Index>(std::stoll(value));
  };
  const Index steps = number("steps", subject_.settings().steps);
  const Minibatches* batches = subject_.experiment().batches();
  const Index epochs = number("epochs", subject_.settings().epochs);
  return epochs > 0 && batches != nullptr ? std::min(steps, epochs * batches->batches_per_epoch()) : steps;
}

void Replay::keep_start() {
  Experiment& experiment = subject_.experiment();
  if (!start_theta_) {
    start_theta_ = duplicate(experiment.theta());
    for (const auto& [name, vec] : experiment.dynamics().vectors()) start_vectors_.push_back(duplicate(vec));
  }
  copy(experiment.theta(), start_theta_.get());
  const auto vectors = experiment.dynamics().vectors();
  for (std::size_t i = 0; i < vectors.size(); ++i) copy(vectors[i].second, start_vectors_[i].get());
  start_state_ = experiment.state();
}

Replay::Arrival Replay::go(std::size_t k, double end_time, Index most, double nudge, const Observer& see) {
  Experiment& experiment = subject_.experiment();
  const std::unique_ptr<Dynamics> dynamics =
      experiment.make_dynamics(subject_.settings(), end_time, max_steps(k));
  Arrival arrival;
  arrival.theta = duplicate(start_theta_.get());
  copy(start_theta_.get(), arrival.theta.get());
  if (nudge > 0.0) {
    const CounterRandom random(subject_.settings().seed, Stream::test_direction);
    const VecHandle direction = duplicate(arrival.theta.get());
    {
      const ParameterLayout& layout = subject_.layout();
      WriteArray values(direction.get());
      double* entry = values.data();
      for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
        for (Index j = 0; j < layout.row_length(); ++j) *entry++ = random.normal(i, j);
    }
    check(VecAXPY(arrival.theta.get(), nudge / norm(direction.get()), direction.get()));
  }
  const auto vectors = dynamics->vectors();
  for (std::size_t i = 0; i < vectors.size(); ++i) copy(start_vectors_[i].get(), vectors[i].second);
  arrival.state = start_state_;
  // The warm starts must be as in a run that resumes from the checkpoint.
  experiment.objective().forget();
  if (start_state_.shown) experiment.objective().expect_repetition();
  const Index target = files_.points()[k].step;
  try {
    (void)dynamics->run(
        arrival.theta.get(), arrival.state,
        [&](const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
          arrival.steepest = std::max(arrival.steepest, norm(gradient));
          arrival.size = std::max(arrival.size, subject_.gradient_size(evaluation.train.loss));
          if (state.step >= most) return false;
          if (see && state.step > start_state_.step && state.step < target)
            see(state, theta, gradient, evaluation);
          return true;
        });
  } catch (const Error& error) {
    if (!error.collective()) throw;
    arrival.error = fmt::format("from step {} on: {}", start_state_.step, first_line(error.what()));
  }
  for (const auto& [name, vec] : vectors) {
    arrival.vectors.push_back(duplicate(vec));
    copy(vec, arrival.vectors.back().get());
  }
  experiment.objective().forget();
  return arrival;
}

void Replay::run(std::size_t k, const Observer& see) {
  if (wanted_[k] == 0) return;
  static const LogEvent event("AuditReplay");
  const auto scope = event.begin();
  keep_start();
  if (first_step_ < 0) first_step_ = start_state_.step;
  arrival_ = go(k, end_time(k), files_.points()[k].step, 0.0, see);
  started_ = true;
  steps_ += steps_of(k);
  ++intervals_;
}

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

double distance_of(Vec a, Vec b) {
  const VecHandle difference = duplicate(a);
  check(VecWAXPY(difference.get(), -1.0, a, b));
  return norm(difference.get());
}

/// Growth of the sum of local errors; infinite if the integrator has no error estimate.
double growth_of(double end, double start) {
  return std::isfinite(start) ? end - start : end;
}

}  // namespace

Replay::Distance Replay::distance(std::size_t k, const Arrival& arrival) {
  Experiment& experiment = subject_.experiment();
  // The tolerance has three parts: the error that the integrator states, if any; rounding of every
  // evaluation; and the accuracy of the gradients along the way.
  const double stated = growth_of(arrival.state.local_error_sum, start_state_.local_error_sum);
  // Without an error estimate the same steps are taken again, up to the accuracy of implicit stages.
  constexpr double stages = 1e-6;
  const double local =
      std::isfinite(stated) ? stated : stages * distance_of(arrival.theta.get(), start_theta_.get());
  const double time = arrival.state.t - start_state_.t;
  const double evaluations = 8.0 * static_cast<double>(steps_of(k)) + 1.0;
  const double drift = subject_.gradient_accuracy() * time * std::max(arrival.steepest, arrival.size);
  Distance worst{distance_of(arrival.theta.get(), experiment.theta()),
                 local + evaluations * epsilon * norm(start_theta_.get()) + drift};
  const auto vectors = experiment.dynamics().vectors();
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const Distance one{distance_of(arrival.vectors[i].get(), vectors[i].second),
                       evaluations * epsilon * norm(vectors[i].second) +
                           100.0 * subject_.gradient_accuracy() * (arrival.steepest + arrival.size) *
                               std::max(1.0, arrival.steepest)};
    if (!(one.measured * worst.tolerance <= worst.measured * one.tolerance)) worst = one;
  }
  return worst;
}

/// How much the steps of the interval magnify a change of θ at the start. Steps of a descent may be too large
/// to damp a change. The result is ten times the growth along a seeded direction.
double Replay::growth(std::size_t k) {
  const double nudge = 1e-8 * norm(start_theta_.get());
  const Arrival nudged = go(k, end_time(k), files_.points()[k].step, nudge, {});
  if (!nudged.error.empty()) return 1.0;
  return std::max(1.0, 10.0 * distance_of(nudged.theta.get(), arrival_.theta.get()) / nudge);
}

/// The stored error widens the tolerance of Theorem 1, so it must not be too large. An error estimate is a
/// small difference, so it has rounding errors of its own.
void Replay::compare_error_sum(std::size_t k) {
  if (arrival_.state.step == start_state_.step) return;
  const double start = start_state_.local_error_sum;
  const double stored = growth_of(subject_.experiment().state().local_error_sum, start);
  const double again = growth_of(arrival_.state.local_error_sum, start);
  if (std::isinf(stored) && std::isinf(again)) return;  // the integrator has no estimate
  const double evaluations = 8.0 * static_cast<double>(steps_of(k)) + 1.0;
  const double rounding = evaluations * epsilon * norm(start_theta_.get()) +
                          subject_.gradient_accuracy() * (arrival_.state.t - start_state_.t) *
                              std::max(arrival_.steepest, arrival_.size);
  error_sum_.add(stored, 1.1 * again + rounding, files_.points()[k].step, files_.points()[k].name);
}

void Replay::compare(std::size_t k) {
  if (!started_) return;
  started_ = false;
  const StoredPoint& point = files_.points()[k];
  if (!arrival_.error.empty()) {
    if (error_.empty()) error_ = arrival_.error;
    theta_.add(std::nan(""), 0.0, point.step, point.name);
    return;
  }
  const bool flow = subject_.settings().dynamics->integrates_flow();
  // Equal step sizes have the same sum up to rounding.
  const double clock_tolerance = 1e-12 * std::max(1.0, std::abs(arrival_.state.t));
  double late = arrival_.state.step == point.step ? std::abs(arrival_.state.t - point.t) : std::nan("");
  // The error estimate, and so the step sizes, are only as accurate as the solves. If the replay arrives at a
  // slightly different time, repeat it up to the time of the checkpoint instead of its step.
  const double interval = point.t - start_state_.t;
  if (flow && subject_.network().solves_equilibria() && late > clock_tolerance && late <= interval / 128.0) {
    arrival_ = go(k, point.t, std::numeric_limits<Index>::max(), 0.0, {});
    late = std::abs(arrival_.state.t - point.t);
  }
  clock_.add(late, clock_tolerance, point.step, point.name);
  if (flow) compare_error_sum(k);
  Distance result = distance(k, arrival_);
  if (!flow && !(result.measured <= result.tolerance)) result.tolerance *= growth(k);
  theta_.add(result.measured, result.tolerance, point.step, point.name);
}

void Replay::judge(VerdictTable& table) const {
  const std::string claim = "steps taken again from each checkpoint end at the next";
  const std::string times = "and at its time";
  std::string why = why_not();
  if (why.empty() && intervals_ == 0)
    why = !skipped_.empty() ? skipped_ : "the newest interval has more steps than -replay_steps allows";
  Row row = theta_.row("trajectory", claim, "5.4", why);
  const Index last = files_.points().empty() ? 0 : files_.points().back().step;
  if (row.state != RowState::does_not_apply) {
    row.note = fmt::format("{} of {} steps", steps_, last);
    if (first_step_ > 0) row.note += fmt::format(", from step {} on", first_step_);
    if (!skipped_.empty()) row.note += ", without " + skipped_;
    if (!error_.empty()) row.note = error_;
  }
  table.add(row);
  if (why.empty()) why = "the steps could not be taken";
  table.add(clock_.row("clock", times, "5.4", why));
  const DynamicsKind& dynamics = *subject_.settings().dynamics;
  if (why_not().empty() && !dynamics.integrates_flow())
    why = "-dynamics " + dynamics.name() + " has no integrator";
  else if (why_not().empty() && intervals_ > 0)
    why = "the integrator states no error";
  table.add(error_sum_.row("error_sum", "stored integration error is at most the steps' error", "5.4", why));
}

}  // namespace audit
}  // namespace poise
