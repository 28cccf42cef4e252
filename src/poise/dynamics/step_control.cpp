#include "poise/dynamics/step_control.hpp"

#include <petsc/private/tsimpl.h>  // TSAdapt's ops: no public call changes the step size it proposes

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"

namespace poise {
namespace {

/// Binary digits of an adaptive step size. The error estimate is a small difference, so the step size that
/// follows from it carries the rounding of the gradient times 1/tolerance: 1e-10 of itself on another number
/// of ranks, and the history would be at other times. Rounded (down, by 0.8 % at most), it is the same one.
constexpr int step_size_digits = 8;
constexpr const char* wrapped_choice = "poise_wrapped_choice";

/// Whether the controller can measure the error of a step that ends here. Its norms, of which one is relative
/// to the absolute tolerance, end the program where they overflow.
PetscErrorCode has_error_norm(TS ts, Vec end, bool& has) {
  constexpr double larger = 1e3;  // the error may be, than where the step ends
  PetscReal norm = 0.0, tolerance = 0.0;
  PetscFunctionBegin;
  PetscCall(VecNorm(end, NORM_2, &norm));
  PetscCall(TSGetTolerances(ts, &tolerance, nullptr, nullptr, nullptr));
  const double relative = larger * norm / (tolerance > 0.0 ? tolerance : 1.0);
  has = std::isfinite(relative * relative);
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

/// Of a step that begins now. Since PETSc 3.26 the least one is the larger of two.
PetscErrorCode step_limits(TSAdapt adapt, PetscReal time, PetscReal& least, PetscReal& most) {
  PetscFunctionBegin;
  PetscCall(TSAdaptGetStepLimits(adapt, &least, &most));
#if PETSC_VERSION_GE(3, 26, 0)
  PetscReal share = 0.0;
  PetscCall(TSAdaptGetMinStep(adapt, &share, &least));
  least = std::max(least, share * std::abs(time));
#else
  (void)time;
#endif
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

PetscErrorCode choose_rounded(TSAdapt adapt, TS ts, PetscReal step_size, PetscInt* scheme, PetscReal* next,
                              PetscBool* accept, PetscReal* error, PetscReal* absolute, PetscReal* relative) {
  decltype(adapt->ops->choose) choose = nullptr;
  Vec end = nullptr;
  PetscReal time = 0.0, factor = 0.0, least = 0.0, most = 0.0;
  bool possible = false;
  PetscFunctionBegin;
  PetscCall(PetscObjectQueryFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, &choose));
  PetscCall(TSGetSolution(ts, &end));
  PetscCall(has_error_norm(ts, end, possible));
  if (possible) PetscCall((*choose)(adapt, ts, step_size, scheme, next, accept, error, absolute, relative));
  PetscCall(TSGetTime(ts, &time));
  if (possible && *accept) {
    PetscCall(TSFunctionDomainError(ts, time + step_size, end, accept));
    possible = *accept;
  }
  if (!possible) {
    PetscCall(TSAdaptGetScaleSolveFailed(adapt, &factor));
    *accept = PETSC_FALSE;
    *next = step_size * factor;
    PetscFunctionReturn(static_cast<PetscErrorCode>(0));
  }
  // The limits that the user has chosen stay, and a step size that does.
  PetscCall(step_limits(adapt, time, least, most));
  if (*next != step_size && *next != least && *next != most) *next = rounded_down(*next);
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

}  // namespace

double rounded_down(double step_size) {
  int exponent = 0;
  const double fraction = std::frexp(step_size, &exponent);
  return std::ldexp(std::floor(std::ldexp(fraction, step_size_digits)), exponent - step_size_digits);
}

void control_steps(TS ts) {
  TSAdapt adapt = nullptr;
  PetscBool fixed = PETSC_FALSE;
  check(TSGetAdapt(ts, &adapt));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(adapt), TSADAPTNONE, &fixed));
  if (fixed) return;
  check(PetscObjectComposeFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, adapt->ops->choose));
  adapt->ops->choose = choose_rounded;
}

}  // namespace poise
