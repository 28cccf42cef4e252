#pragma once

#include <cmath>

#include "poise/base/error.hpp"

namespace poise {

/// Throws failure if a loss that all ranks share is NaN or Inf.
inline void require_finite_loss(double loss) {
  if (std::isfinite(loss)) return;
  throw Error(ExitCode::failed,
              "the loss is not finite: the step is too large or the parameters have left the numbers; reduce "
              "-step_size "
              "or the integrator's tolerance",
              true);
}

}  // namespace poise
