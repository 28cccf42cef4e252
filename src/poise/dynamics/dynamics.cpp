#include "poise/dynamics/dynamics.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"

namespace poise {
inline namespace dynamics {

void require_bounded_loss(DynamicsState& state, const Evaluation& evaluation) {
  const double loss = evaluation.train.loss + evaluation.penalty;
  if (state.first_loss < 0.0) state.first_loss = loss;
  if (!(loss > largest_growth * std::max(1.0, state.first_loss))) return;
  throw Error(
      ExitCode::failed,
      fmt::format("the loss has grown to {}, from {} at the start: the run diverges (its least loss was "
                  "{} at step {}); reduce the step size or the tolerance",
                  to_text(loss), to_text(state.first_loss), to_text(state.least_loss), state.least_step),
      true);
}

void note_loss(DynamicsState& state, const Evaluation& evaluation) {
  const double loss = evaluation.train.loss + evaluation.penalty;
  if (state.least_loss >= 0.0 && !(loss < state.least_loss)) return;
  state.least_loss = loss;
  state.least_step = state.step;
}

bool is_failed_evaluation(const Error& error) {
  return error.code() == ExitCode::failed && error.collective();
}

void warn_of_repeated_step(Vec theta, Index step, double step_size, const Error& why) {
  warn(PetscObjectComm(reinterpret_cast<PetscObject>(theta)),
       fmt::format("step {} failed ({}); it is taken again with step size {}", step, why.what(),
                   to_text(step_size)));
}

}  // namespace dynamics
}  // namespace poise
