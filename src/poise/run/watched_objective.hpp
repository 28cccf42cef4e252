#pragma once

#include <utility>

#include "poise/objective/objective.hpp"

namespace poise {
inline namespace run {

/// Wraps an objective and counts the samples that needed the ladder of solvers. An observer could not count
/// them, because the dynamics also evaluate at points that no observer sees (stages, trial points).
class WatchedObjective final : public Objective {
 public:
  struct Tally {
    Index equilibrium = 0, adjoint = 0;  ///< number of samples
    Index gradients = 0;                 ///< number of evaluations with such samples
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
  Score score(Vec theta, const SampleSet& samples) override { return inner_.score(theta, samples); }

  /// Not collective. The next evaluation repeats the last one before a checkpoint: it is not counted, and the
  /// warm starts that it leaves are forgotten, as they were after that checkpoint.
  void expect_repetition() { repetition_ = true; }
  /// Not collective. The counts since the last call.
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

}  // namespace run
}  // namespace poise
