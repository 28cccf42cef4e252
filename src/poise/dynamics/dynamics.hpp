#pragma once

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/objective/objective.hpp"

namespace poise {

/// Where a run stands: with θ and the vectors of the dynamics, all that is needed to go on exactly.
struct DynamicsState {
  Index step = 0;
  double t = 0.0;
  double next_step_size = 0.0;  ///< what the integrator tries next; 0: its default
  /// Σ over steps of ‖estimated local error of θ‖₂ since t = 0; inf where the integrator estimates none.
  double local_error_sum = 0.0;
  Index gradients = 0;       ///< gradient evaluations so far
  bool shown = false;        ///< the observer has seen this point
  double step_scale = 1.0;   ///< descent: 2^(−reductions), a factor of every later step size
  Index reductions = 0;      ///< descent: how often a failure has halved the step size
  Index clipped = 0;         ///< descent: steps whose gradient was clipped
  double first_loss = -1.0;  ///< with the penalty, where the run began; negative: not known
  double least_loss = -1.0;  ///< the least one of the points that were shown, and its step
  Index least_step = 0;
  /// What the history shows: of the step from here. It follows from the rest and need not be saved.
  double step_size = std::numeric_limits<double>::quiet_NaN();
};

/// Sees θ, ∇L(θ) and the loss at the start and after every step; returns false to stop the run there.
using Observer = std::function<bool(const DynamicsState&, Vec theta, Vec gradient, const Evaluation&)>;

enum class StopReason { reached_time, reached_steps, stopped_by_observer, converged, converged_to_rounding };

/// Moves the parameters along an objective. Collective on the world. What a run asks of it beside its steps
/// is said by its DynamicsKind.
class Dynamics {
 public:
  virtual ~Dynamics() = default;
  /// Runs from `state` (changed in place, as is `theta`) until the time or the number of steps is reached, a
  /// minimum is found, or the observer stops it. The observer sees the start only if `state.step` is 0: a
  /// resumed run has shown it before. From step 0 on it starts afresh, whatever `vectors()` hold.
  virtual StopReason run(Vec theta, DynamicsState& state, const Observer& observer) = 0;
  /// What it carries from step to step besides the state: Vecs in the layout of θ, by name. The Dynamics owns
  /// them. To go on exactly, save their entries beside θ when the observer has returned, and write them back
  /// before `run`.
  [[nodiscard]] virtual std::vector<std::pair<std::string, Vec>> vectors() { return {}; }
};

/// A loss so many times that of the start, and so large where the start was below 1, diverges, though it is
/// still a number: no noise of minibatches and no momentum does that.
inline constexpr double largest_growth = 1e4;
/// Throws failure, on every rank, that names the step of the least loss, if the loss of an evaluation at step
/// `state.step` has grown beyond it; keeps the first loss in `state`.
void require_bounded_loss(DynamicsState& state, const Evaluation& evaluation);
/// Keeps the least loss; for points that are shown.
void note_loss(DynamicsState& state, const Evaluation& evaluation);
/// Whether another point may do better: a failed solve or a number that is not finite, on every rank.
[[nodiscard]] bool is_failed_evaluation(const Error& error);
/// Collective on the communicator of `theta`. Rank 0 tells on stderr why a step is taken again.
void warn_of_repeated_step(Vec theta, Index step, double step_size, const Error& why);

}  // namespace poise
