#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "poise/predict/new_samples.hpp"
#include "poise/predict/predictor.hpp"

namespace poise {
inline namespace predict {

/// How well predictions agree with the answers of the file: sums over samples, in a form that ranks can add
/// up.
class Quality {
 public:
  explicit Quality(const Predictor& predictor);

  /// Not collective. Counts the samples that are usable, answered and solved.
  void add(const NewSamples& samples, const Prediction& prediction);
  /// Collective on `comm`. Adds up the ranks; every rank then has the total.
  void sum(MPI_Comm comm);

  /// Samples that were counted.
  [[nodiscard]] Index count() const { return count_; }
  /// Σ ℓ, or its mean over the samples, as the run's -loss_scale says.
  [[nodiscard]] double loss() const;
  [[nodiscard]] double accuracy() const;
  /// Number of samples of class `right` for which `predicted` was predicted. Only for few classes: the matrix
  /// of many classes would not fit into memory.
  [[nodiscard]] Index confusion(Index right, Index predicted) const {
    return confusion_[right * classes_ + predicted];
  }
  /// Of one class; NaN without a sample to judge by.
  [[nodiscard]] double precision(Index c) const;
  [[nodiscard]] double recall(Index c) const;
  /// Of one output of a regression: √(mean squared error), mean absolute error, and R² = 1 − Σ(y − f)²/Σ(y −
  /// ȳ)² (NaN if the targets do not vary).
  [[nodiscard]] double root_mean_square_error(Index output) const;
  [[nodiscard]] double mean_absolute_error(Index output) const;
  [[nodiscard]] double determination(Index output) const;

  /// The text for people.
  [[nodiscard]] std::string text() const;

 private:
  /// Sums of one output; mean and spread of the targets are updated sample by sample, so that nothing
  /// cancels.
  struct Errors {
    double square = 0.0, absolute = 0.0, mean = 0.0, spread = 0.0;
  };
  void add_answer(Index i, const NewSamples& samples, const Prediction& prediction, Index predicted);
  [[nodiscard]] std::string class_text(Index c) const;
  [[nodiscard]] std::string classes_text() const;
  [[nodiscard]] std::string errors_text() const;

  const Predictor& predictor_;
  Index classes_, count_ = 0, correct_ = 0;
  double loss_ = 0.0;
  std::vector<Index> right_, predicted_, hits_;  // of each class: samples, predictions, right predictions
  std::vector<Index> confusion_;                 // right x predicted; empty for many classes
  std::vector<Errors> errors_;                   // of each output of a regression
};

}  // namespace predict
}  // namespace poise
