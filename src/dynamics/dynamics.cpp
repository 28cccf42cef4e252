#include "poise/dynamics/dynamics.hpp"

#include <cmath>

namespace poise {

void require_finite_loss(double loss) {
  if (!std::isfinite(loss))
    throw Error(ExitCode::failed, "the loss is NaN or Inf: reduce the step size or the tolerance", true);
}

bool is_failed_evaluation(const Error& error) {
  return error.code() == ExitCode::failed && error.collective();
}

}  // namespace poise
