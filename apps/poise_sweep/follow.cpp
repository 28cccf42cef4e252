#include "poise_sweep/follow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/run/members.hpp"

namespace poise::sweep {
namespace {

/// The smaller of a minimum so far (NaN: none yet) and the tightness of one bound at this point.
double smaller(double so_far, double tightness, const BoundCheck& check) {
  return check.resolved ? std::fmin(so_far, tightness) : so_far;
}

/// Adds each bound by itself.
void judge(const AuditPoint& point, Followed& result) {
  const AuditRow& row = point.row;
  if (!row.check.held && result.first_violation < 0.0)
    result.first_violation = static_cast<double>(point.sample.step);
  result.held = result.held && row.check.held;
  result.held_integrated = result.held_integrated && row.check_integrated.held;
  result.tightness = smaller(result.tightness, row.tightness, row.check);
  result.tightness_integrated =
      smaller(result.tightness_integrated, row.tightness_integrated, row.check_integrated);
}

bool goes_on(FollowSettings::Stop stop, const AuditPoint& point, const Followed& result) {
  if (stop == FollowSettings::Stop::at_any) return point.row.held;
  return stop == FollowSettings::Stop::never || result.held;
}

/// Collective. The observer may stop a run, but must not throw into the integrator because of a request.
bool asked_to_stop(Interruptions& requests) {
  return requests.poll().stop != Interruptions::Stop::no;
}

}  // namespace

void run_to_end(Experiment& experiment, Interruptions& requests) {
  bool stopped = false;
  (void)experiment.advance([&](const DynamicsState&, Vec, Vec, const Evaluation&) {
    stopped = asked_to_stop(requests);
    return !stopped;
  });
  if (stopped) throw MemberStopped();
}

Followed follow(Experiment& experiment, Interruptions& requests, const FollowSettings& settings,
                const Inspect& inspect) {
  const LiveAudit& audit = *experiment.audit();
  const double rounding = audit.constants().excess_rounding;
  Followed result;
  bool stopped = false;
  result.kappa = audit.constants().kappa;
  result.lambda_floor = audit.constants().lambda_floor;
  const auto observe = [&](const DynamicsState& state, Vec, Vec gradient, const Evaluation& evaluation) {
    stopped = asked_to_stop(requests);
    if (stopped) return false;
    double norm = 0.0;
    check(VecNorm(gradient, NORM_2, &norm));
    const AuditPoint point = experiment.audit_here(state, norm);
    if (state.step == 0) result.initial_excess = point.sample.excess;
    result.final_excess = point.sample.excess;
    result.time = state.t;
    result.lambda_T = point.row.lambda_T;
    judge(point, result);
    result.reached = point.sample.excess <= std::max(settings.target * result.initial_excess, rounding);
    if (inspect && !inspect(state, gradient, evaluation, point)) return false;
    return !result.reached && goes_on(settings.stop, point, result);
  };
  try {
    (void)experiment.advance(observe);
    if (stopped) throw MemberStopped();
  } catch (const Error& error) {
    if (!settings.allow_divergence || !is_failed_evaluation(error)) throw;
    result.diverged = true;
    result.reached = result.held = result.held_integrated = false;
    result.final_excess = std::numeric_limits<double>::infinity();
  }
  result.violations = static_cast<double>(audit.rates().violations());
  result.steps = static_cast<double>(experiment.state().step);
  result.gradients = static_cast<double>(experiment.state().gradients);
  return result;
}

}  // namespace poise::sweep
