#pragma once

#include <utility>

#include "poise/objective/objective.hpp"

namespace poise {

/// Another objective, with a count of the samples that only a ladder of solvers could solve: the dynamics
/// also evaluate where no observer looks (stages, trial points).
class WatchedObjective final : public Objective {
 public:
  struct Tally {
    Index equilibrium = 0, adjoint = 0;  ///< samples
    Index gradients = 0;                 ///< evaluations with such samples
  };

  /// `inner` must outlive it.
  explicit WatchedObjective(Objective& inner) : inner_(inner) {}

  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    return watch(inner_.value_and_gradient(theta, gradient));
  }
  Evaluation value_and_gradient(Vec theta, Vec gradient, const Batch& batch) override {
    return watch(inner_.value_and_gradient(theta, gradient, batch));
  }
  void forget() override { inner_.forget(); }
  Score test(Vec theta) override { return inner_.test(theta); }

  /// Not collective. The next evaluation repeats one of an earlier start: it is not counted, and what it
  /// leaves behind is forgotten, as the earlier start did after its checkpoint.
  void expect_repetition() { repetition_ = true; }
  /// Not collective. What was counted since the last call.
  Tally take() { return std::exchange(tally_, {}); }

 private:
  Evaluation watch(const Evaluation& evaluation) {
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

  Objective& inner_;
  Tally tally_;
  bool repetition_ = false;
};

}  // namespace poise
