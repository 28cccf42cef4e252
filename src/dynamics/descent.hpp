#pragma once

#include "poise/dynamics/dynamics.hpp"

namespace poise {

/// Gradient descent with a fixed step, θ ← θ − η∇L(θ); time is counted as t = η · steps. Options -step_size,
/// -steps.
class Descent final : public Dynamics {
 public:
  /// `objective` must outlive it. Ends after `max_steps` steps or at the first t >= end_time.
  Descent(Objective& objective, Vec theta_like, double step_size, double end_time, Index max_steps);
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;

 private:
  Objective& objective_;
  VecHandle gradient_;
  double step_size_;
  double end_time_;
  Index max_steps_;
};

}  // namespace poise
