#include "poise/run/watched_objective.hpp"

namespace poise {

Evaluation WatchedObjective::watch(const Evaluation& evaluation) {
  if (repetition_) {
    repetition_ = false;
    inner_.forget();
    return evaluation;
  }
  tally_.equilibrium += evaluation.equilibrium.fallbacks;
  tally_.adjoint += evaluation.adjoint.fallbacks;
  if (evaluation.equilibrium.fallbacks + evaluation.adjoint.fallbacks > 0) ++tally_.gradients;
  return evaluation;
}

}  // namespace poise
