#pragma once

#include <petscts.h>

namespace poise {

/// Wraps the step size controller that the options have chosen for `ts`; not one that keeps the step size
/// (`none`). Step sizes are rounded, so that a run takes the same steps on any number of ranks. A step whose
/// end has no error norm (overflow), or is not in the domain of TSSetFunctionDomainError, is rejected, as TS
/// does where a stage is not: it is taken again with `ts_adapt_scale_solve_failed` of its size. Collective.
void control_steps(TS ts);

/// A step size with few binary digits, the same for any rounding of what it was computed from.
[[nodiscard]] double rounded_down(double step_size);

}  // namespace poise
