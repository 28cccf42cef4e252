#include "poise/dynamics/descent.hpp"

#include <cmath>
#include <utility>

#include "poise/base/check.hpp"

namespace poise {
namespace {

constexpr int most_halvings = 20;  // of one step: a millionth of its size

}  // namespace

Descent::Descent(Objective& objective, Vec theta_like, const DescentSettings& settings, double end_time,
                 Index max_steps, const Minibatches* batches)
    : objective_(objective),
      settings_(settings),
      end_time_(end_time),
      max_steps_(max_steps),
      batches_(batches),
      rule_(settings, theta_like),
      gradient_(duplicate(theta_like)) {
  if (!settings.backtrack) return;
  kept_.theta = duplicate(theta_like);
  kept_.gradient = duplicate(theta_like);
  for ([[maybe_unused]] const auto& moment : rule_.vectors()) kept_.moments.push_back(duplicate(theta_like));
}

double Descent::step_size_at(const DynamicsState& state) const {
  return settings_.step_size * state.step_scale * settings_.schedule_at(state.step, max_steps_);
}

Evaluation Descent::evaluate(Vec theta, DynamicsState& state) {
  Evaluation evaluation =
      batches_ == nullptr ? objective_.value_and_gradient(theta, gradient_.get())
                          : objective_.value_and_gradient(theta, gradient_.get(), batches_->at(state.step));
  require_finite_loss(evaluation.train.loss);
  require_bounded_loss(state, evaluation);
  check(VecNorm(gradient_.get(), NORM_2, &gradient_norm_));
  if (!std::isfinite(gradient_norm_)) require_finite(gradient_.get(), "the gradient");
  return evaluation;
}

void Descent::step(Vec theta, DynamicsState& state) {
  const double step_size = step_size_at(state);
  const bool clips = settings_.clip > 0.0 && gradient_norm_ > settings_.clip;
  rule_.apply(theta, gradient_.get(), clips ? settings_.clip / gradient_norm_ : 1.0, step_size, state.step);
  if (clips) ++state.clipped;
  ++state.step;
  state.shown = false;
  // Of equal steps, t is one product: it carries no sum of roundings.
  const bool equal_steps = settings_.is_constant() && state.reductions == 0;
  state.t = equal_steps ? static_cast<double>(state.step) * step_size : state.t + step_size;
}

void Descent::keep(Vec theta, const DynamicsState& state) {
  kept_.state = state;
  kept_.gradient_norm = gradient_norm_;
  check(VecCopy(theta, kept_.theta.get()));
  const auto moments = rule_.vectors();
  for (std::size_t i = 0; i < moments.size(); ++i) check(VecCopy(moments[i].second, kept_.moments[i].get()));
}

void Descent::go_back(Vec theta, DynamicsState& state, const Error& error) {
  state = kept_.state;
  gradient_norm_ = kept_.gradient_norm;
  std::swap(gradient_, kept_.gradient);
  check(VecCopy(kept_.theta.get(), theta));
  const auto moments = rule_.vectors();
  for (std::size_t i = 0; i < moments.size(); ++i) check(VecCopy(kept_.moments[i].get(), moments[i].second));
  ++state.gradients;
  ++state.reductions;
  state.step_scale *= 0.5;
  state.step_size = step_size_at(state);
  warn_of_repeated_step(theta, state.step + 1, state.step_size, error);
}

Evaluation Descent::advance(Vec theta, DynamicsState& state) {
  if (!settings_.backtrack) {
    step(theta, state);
    return evaluate(theta, state);
  }
  for (int halvings = 0;; ++halvings) {
    keep(theta, state);
    step(theta, state);
    std::swap(gradient_, kept_.gradient);  // the evaluation writes into the other one
    try {
      return evaluate(theta, state);
    } catch (const Error& error) {
      if (!is_failed_evaluation(error) || halvings == most_halvings) throw;
      go_back(theta, state, error);
    }
  }
}

StopReason Descent::run(Vec theta, DynamicsState& state, const Observer& observer) {
  if (state.step == 0) rule_.reset();
  Evaluation evaluation = evaluate(theta, state);
  for (;;) {
    state.step_size = step_size_at(state);
    if (!state.shown) {
      ++state.gradients;
      state.shown = true;
      note_loss(state, evaluation);
      if (!observer(state, theta, gradient_.get(), evaluation)) return StopReason::stopped_by_observer;
    }
    if (state.step >= max_steps_) return StopReason::reached_steps;
    // Half a step of slack: t is a sum of rounded steps.
    if (state.t + 0.5 * state.step_size > end_time_) return StopReason::reached_time;
    evaluation = advance(theta, state);
  }
}

}  // namespace poise
