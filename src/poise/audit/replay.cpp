#include "poise/audit/replay.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"

namespace poise {
namespace {

void copy(Vec from, Vec to) {
  check(VecCopy(from, to));
}

/// Options of PETSc's solvers, which are not among those that make a run what it is.
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

/// Whether the settings in hand are those that the interval was made with.
std::string Replay::why_not(std::size_t k) const {
  const auto& mine = files_.points()[k].config;
  const auto& newest = files_.points().back().config;
  for (const auto* list : {&mine, &newest})
    for (const auto& [name, value] : *list)
      if (of_a_solver(name, *subject_.settings().dynamics) &&
          files_.points()[k].option(name) != files_.points().back().option(name))
        return "intervals with another -" + name;
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

/// As the run had it: schedules depend on it.
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
  // Warm starts stand as they stood behind the checkpoint.
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
    arrival.error = "from step " + std::to_string(start_state_.step) + " on: " + first_line(error.what());
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

}  // namespace poise
