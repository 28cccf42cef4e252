#pragma once

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace dynamics {

/// The state of a run between steps. With θ and the vectors of the dynamics it is all that a run needs to go
/// on bit for bit.
struct DynamicsState {
  Index step = 0;
  double t = 0.0;
  double next_step_size = 0.0;  ///< step size that the integrator tries next; 0: its default
  /// Σ over steps of ‖estimated local error of θ‖₂ since t = 0; inf if the integrator estimates no error.
  double local_error_sum = 0.0;
  Index gradients = 0;       ///< gradient evaluations so far
  bool shown = false;        ///< the observer has seen this point
  double step_scale = 1.0;   ///< descent: 2^(−reductions), a factor of every later step size
  Index reductions = 0;      ///< descent: how often a failure has halved the step size
  Index clipped = 0;         ///< descent: steps whose gradient was clipped
  double first_loss = -1.0;  ///< loss with penalty at the start of the run; negative: not known
  double least_loss = -1.0;  ///< least loss with penalty of the points that the observer has seen
  Index least_step = 0;      ///< its step
  /// Size of the step from here, for the history. It follows from the other fields and need not be saved.
  double step_size = std::numeric_limits<double>::quiet_NaN();
};

/// Sees θ, ∇L(θ) and the loss at the start and after every step; returns false to stop the run there.
using Observer = std::function<bool(const DynamicsState&, Vec theta, Vec gradient, const Evaluation&)>;

/// `out_of_patience`: the observer stopped the run because of -patience.
enum class StopReason {
  reached_time,
  reached_steps,
  stopped_by_observer,
  converged,
  converged_to_rounding,
  out_of_patience
};

/// Changes the parameters to reduce an objective. Collective on the world. Its DynamicsKind answers all
/// questions of a run that are not about steps.
class Dynamics {
 public:
  virtual ~Dynamics() = default;
  /// Runs from `state` (changed in place, as is `theta`) until the time or the number of steps is reached, a
  /// minimum is found, or the observer stops it. The observer sees the start only if `state.step` is 0: a
  /// resumed run has shown it before. A run from step 0 ignores what `vectors()` hold.
  virtual StopReason run(Vec theta, DynamicsState& state, const Observer& observer) = 0;
  /// What the dynamics carries from step to step beside the state: Vecs in the layout of θ, by name. The
  /// Dynamics owns them. To go on bit for bit, save their entries together with θ when the observer has
  /// returned, and write them back before `run`.
  [[nodiscard]] virtual std::vector<std::pair<std::string, Vec>> vectors() { return {}; }
};

/// A run diverges if its loss exceeds this times the first loss, or this itself if the first loss is below 1.
/// Neither the noise of minibatches nor momentum makes a loss grow so far.
inline constexpr double largest_growth = 1e4;
/// Throws failure on every rank if the loss of an evaluation at step `state.step` has grown beyond
/// `largest_growth`; the message names the step of the least loss. Keeps the first loss in `state`.
void require_bounded_loss(DynamicsState& state, const Evaluation& evaluation);
/// Keeps the least loss and its step in `state`. Call it for every point that the observer sees.
void note_loss(DynamicsState& state, const Evaluation& evaluation);
/// Whether a different point may succeed: the error is a failed solve or a number that is not finite, on
/// every rank.
[[nodiscard]] bool is_failed_evaluation(const Error& error);
/// Collective on the communicator of `theta`. Rank 0 prints on stderr why a step is taken again.
void warn_of_repeated_step(Vec theta, Index step, double step_size, const Error& why);

}  // namespace dynamics
}  // namespace poise
