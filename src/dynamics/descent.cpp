#include "poise/dynamics/descent.hpp"

#include "poise/base/check.hpp"

namespace poise {

Descent::Descent(Objective& objective, Vec theta_like, double step_size, double end_time, Index max_steps)
    : objective_(objective),
      gradient_(duplicate(theta_like)),
      step_size_(step_size),
      end_time_(end_time),
      max_steps_(max_steps) {}

StopReason Descent::run(Vec theta, DynamicsState& state, const Observer& observer) {
  for (;;) {
    const Evaluation evaluation = objective_.value_and_gradient(theta, gradient_.get());
    require_finite(gradient_.get(), "the gradient");
    if (!state.shown) {
      ++state.gradients;
      state.shown = true;
      if (!observer(state, theta, gradient_.get(), evaluation)) return StopReason::stopped_by_observer;
    }
    if (state.step >= max_steps_) return StopReason::reached_steps;
    // Half a step of slack: t is a sum of rounded steps.
    if (state.t + 0.5 * step_size_ > end_time_) return StopReason::reached_time;
    check(VecAXPY(theta, -step_size_, gradient_.get()));
    ++state.step;
    state.shown = false;
    state.t = static_cast<double>(state.step) * step_size_;
  }
}

}  // namespace poise
