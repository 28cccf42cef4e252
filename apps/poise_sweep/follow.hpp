#pragma once

#include <functional>
#include <limits>

#include "poise/run/experiment.hpp"

namespace poise::sweep {

/// What the audit of a member's run came to.
struct Followed {
  double initial_excess = 0.0, final_excess = 0.0;
  double time = 0.0;
  double tightness =
      std::numeric_limits<double>::quiet_NaN();  ///< smallest measured exponent over that of the bound
  double tightness_integrated = std::numeric_limits<double>::quiet_NaN();  ///< of the integrated bound
  double lambda_T = 0.0, lambda_floor = 0.0, kappa = 0.0;
  double steps = 0.0, gradients = 0.0;
  double violations = 0.0;        ///< audited times at which something that Theorem 1 excludes was measured
  double first_violation = -1.0;  ///< step at which the bound of THEORY.md 5 was first violated; -1: none
  bool held = true;               ///< that bound held at every step
  bool held_integrated = true;    ///< the sharper one of 5.1 did
  bool reached = false;           ///< the excess came down to the target, or to what rounding leaves
  bool diverged = false;          ///< a loss or a gradient was no longer finite, or a solve failed
};

/// What else a study looks at, at every step after the audit; false stops the run.
using Inspect = std::function<bool(const DynamicsState&, Vec gradient, const Evaluation&, const AuditPoint&)>;

struct FollowSettings {
  double target = 1e-6;  ///< share of the initial excess at which L* counts as reached
  /// Which violations end the run: any (as in poise-train), those of the bound of THEORY.md 5, or none.
  enum class Stop { at_any, at_bound, never } stop = Stop::at_any;
  bool allow_divergence = false;  ///< a failed evaluation ends the run and is no error
};

/// Collective. Runs an experiment that has an audit to its end and audits every step. The loop and the audit
/// are the engine's (Experiment::advance, Experiment::audit_here). A Run is not used: a member has no
/// directory, history or checkpoints, test losses at every step would cost more than the steps, and some
/// studies go on after a violation, which ends a Run.
[[nodiscard]] Followed follow(Experiment& experiment, const FollowSettings& settings,
                              const Inspect& inspect = {});

}  // namespace poise::sweep
