#include "poise/objective/objective.hpp"

#include "poise/base/error.hpp"

namespace poise {

Evaluation Objective::value_and_gradient(Vec theta, Vec gradient, const Batch& batch) {
  if (batch.all) return value_and_gradient(theta, gradient);
  throw Error(ExitCode::bad_input, "this objective needs all samples at once: leave out -batch", true);
}

}  // namespace poise
