#include "poise_sweep/follow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"

namespace poise::sweep {
namespace {

/// As RateAudit: a ratio of exponents counts where both are resolved.
constexpr double resolved_exponent = 1e-6;
/// Share of a bound for the eigenvalue's error and rounding: the exponent, below 20 here, times 3e-10.
constexpr double bound_share = 1e-8;

/// The smaller of a minimum and the tightness of one bound here; NaN stands for none yet.
double smaller(double so_far, double tightness, double bound, const AuditPoint& point, double initial,
               double rounding) {
  const bool resolved = std::log(initial / bound) > resolved_exponent &&
                        point.sample.excess > point.sample.integration_error + rounding;
  return resolved ? std::fmin(so_far, tightness) : so_far;
}

/// Each bound by itself, with the allowances of RateAudit.
void judge(const AuditPoint& point, double rounding, Followed& result) {
  const double excess = point.sample.excess - point.sample.integration_error - rounding;
  const bool held = excess <= point.row.bound * (1.0 + bound_share);
  if (!held && result.first_violation < 0.0) result.first_violation = static_cast<double>(point.sample.step);
  result.held = result.held && held;
  result.held_integrated =
      result.held_integrated && excess <= point.row.bound_integrated * (1.0 + bound_share);
}

bool goes_on(FollowSettings::Stop stop, const AuditPoint& point, const Followed& result) {
  if (stop == FollowSettings::Stop::at_any) return point.row.held;
  return stop == FollowSettings::Stop::never || result.held;
}

}  // namespace

Followed follow(Experiment& experiment, const FollowSettings& settings, const Inspect& inspect) {
  LiveAudit& audit = *experiment.audit();
  const double rounding = audit.constants().excess_rounding;
  Followed result;
  result.kappa = audit.constants().kappa;
  result.lambda_floor = audit.constants().lambda_floor;
  const auto observe = [&](const DynamicsState& state, Vec theta, Vec gradient,
                           const Evaluation& evaluation) {
    double norm = 0.0;
    check(VecNorm(gradient, NORM_2, &norm));
    const AuditPoint point = audit.observe(state.step, state.t, theta, norm, state.local_error_sum);
    if (state.step == 0) result.initial_excess = point.sample.excess;
    result.final_excess = point.sample.excess;
    result.time = state.t;
    result.lambda_T = point.row.lambda_T;
    result.tightness = smaller(result.tightness, point.row.tightness, point.row.bound, point,
                               result.initial_excess, rounding);
    result.tightness_integrated = smaller(result.tightness_integrated, point.row.tightness_integrated,
                                          point.row.bound_integrated, point, result.initial_excess, rounding);
    judge(point, rounding, result);
    result.reached = point.sample.excess <= std::max(settings.target * result.initial_excess, rounding);
    if (inspect && !inspect(state, gradient, evaluation, point)) return false;
    return !result.reached && goes_on(settings.stop, point, result);
  };
  try {
    (void)experiment.dynamics().run(experiment.theta(), experiment.state(), observe);
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
