#pragma once

#include <functional>

#include "poise/objective/objective.hpp"

namespace poise {

/// Where a run stands: with θ, all that is needed to go on exactly.
struct DynamicsState {
  Index step = 0;
  double t = 0.0;
  double next_step_size = 0.0;   ///< what the integrator tries next; 0: its default
  double local_error_sum = 0.0;  ///< Σ over steps of ‖estimated local error of θ‖₂ since t = 0
  Index gradients = 0;           ///< gradient evaluations so far
  bool shown = false;            ///< the observer has seen this point
};

/// Sees θ, ∇L(θ) and the loss at the start and after every step; returns false to stop the run there.
using Observer = std::function<bool(const DynamicsState&, Vec theta, Vec gradient, const Evaluation&)>;

enum class StopReason { reached_time, reached_steps, stopped_by_observer };

/// Moves the parameters along an objective. Collective on the world.
class Dynamics {
 public:
  virtual ~Dynamics() = default;
  /// Runs from `state` (changed in place, as is `theta`) until the time or the number of steps is reached, or
  /// the observer stops it. The observer sees the start only if `state.step` is 0: a resumed run has shown it
  /// before.
  virtual StopReason run(Vec theta, DynamicsState& state, const Observer& observer) = 0;
};

}  // namespace poise
