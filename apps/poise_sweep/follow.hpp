#pragma once

#include <functional>
#include <limits>

#include "poise/run/experiment.hpp"
#include "poise/run/interruptions.hpp"

namespace poise::sweep {

/// The results of the audited run of a member.
struct Followed {
  double initial_excess = 0.0, final_excess = 0.0;
  double time = 0.0;
  /// Smallest measured exponent over the exponent of the bound.
  double tightness = std::numeric_limits<double>::quiet_NaN();
  double tightness_integrated =
      std::numeric_limits<double>::quiet_NaN();  ///< the same for the integrated bound
  double lambda_T = 0.0, lambda_floor = 0.0, kappa = 0.0;
  double steps = 0.0, gradients = 0.0;
  double violations = 0.0;        ///< audited times at which a statement of Theorem 1 was violated
  double first_violation = -1.0;  ///< step at which the bound of THEORY.md 5 was first violated; -1: none
  bool held = true;               ///< this bound held at every step
  bool held_integrated = true;    ///< the sharper bound of 5.1 held at every step
  bool reached = false;           ///< the excess fell to the target, or to rounding
  bool diverged = false;          ///< a loss or a gradient was no longer finite, or a solve failed
};

/// Called at every step after the audit; false stops the run.
using Inspect = std::function<bool(const DynamicsState&, Vec gradient, const Evaluation&, const AuditPoint&)>;

struct FollowSettings {
  double target = 1e-6;  ///< share of the initial excess at which L* counts as reached
  /// Which violations end the run: all (as in poise-train), violations of the bound of THEORY.md 5, or none.
  enum class Stop { at_any, at_bound, never } stop = Stop::at_any;
  bool allow_divergence = false;  ///< a failed evaluation ends the run without an error
};

/// Collective. Runs an experiment that has an audit to its end and audits every step. The loop and the audit
/// are the engine's (Experiment::advance, Experiment::audit_here). A Run is not used: a member has no
/// directory, history or checkpoints, test losses at every step would cost more than the steps, and some
/// studies go on after a violation, which ends a Run. Throws MemberStopped on request.
[[nodiscard]] Followed follow(Experiment& experiment, Interruptions& requests, const FollowSettings& settings,
                              const Inspect& inspect = {});

/// Collective. Runs an experiment to its end, without an audit. Throws MemberStopped on request.
void run_to_end(Experiment& experiment, Interruptions& requests);

}  // namespace poise::sweep
