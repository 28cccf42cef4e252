#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "poise/io/run_file.hpp"
#include "poise/run/experiment.hpp"

namespace poise {
inline namespace run {

/// One row of the history (run.h5, /history) and of the table on the terminal. NaN: not measured.
struct HistoryRow {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  double step = 0, t = 0;
  double epoch = none;  ///< with minibatches
  double loss = none, loss_excess = none;
  double penalty = none;  ///< not part of `loss`
  double grad_norm = none, train_accuracy = none, test_loss = none, test_accuracy = none;
  double validation_loss = none, validation_accuracy = none, validation_best = none;
  double lambda_min = none, lambda_T = none, lambda_floor = none, kappa = none, kappa_measured = none,
         bound = none, bound_integrated = none;  ///< measured by the audit
  double contraction = none;                     ///< the model's Certificate
  double step_size = none;
  double equilibrium_iterations = none, adjoint_iterations = none;
  double equilibrium_fallbacks = none, adjoint_fallbacks = none;  ///< number of samples since the last row
  double gradient_cosine = none, gradient_error = none;           ///< against the exact gradient
  double wall_seconds = 0;

  [[nodiscard]] Score validation() const { return {validation_loss, validation_accuracy}; }
  [[nodiscard]] Score test() const { return {test_loss, test_accuracy}; }

  [[nodiscard]] static const std::vector<std::string>& columns();
  /// What every column means.
  [[nodiscard]] static std::map<std::string, ColumnMeaning> meanings();
  [[nodiscard]] std::vector<double> values() const;
};

/// Measures the row of the history for a step, and sums up the steps between two recorded steps.
class Recorder {
 public:
  /// Not collective. Both must outlive it.
  Recorder(Experiment& experiment, const TrainSettings& settings)
      : experiment_(experiment), settings_(settings) {}

  /// Not collective. Call at every step.
  void gather(const Evaluation& evaluation);
  [[nodiscard]] bool due(Index step) const { return step % experiment_.record_every() == 0; }
  /// Collective. Call after `gather`: the row of the step, without wall_seconds. Resets the sums of `gather`.
  HistoryRow measure(const DynamicsState& state, Vec gradient, const Evaluation& evaluation);
  /// Whether the audit's bounds held at the last recorded step.
  [[nodiscard]] bool held() const { return held_; }
  /// Number of samples that needed the ladder of solvers, and of gradients with such samples, in this
  /// attempt.
  [[nodiscard]] const WatchedObjective::Tally& fallbacks() const { return fallbacks_; }

 private:
  void measure_losses(HistoryRow& row, const Evaluation& evaluation);
  void measure_held_out(HistoryRow& row);
  Score score(const SampleSet& samples);
  void measure_solves(HistoryRow& row, const Evaluation& evaluation) const;
  void measure_certificate(HistoryRow& row);
  void measure_gradient(HistoryRow& row, const DynamicsState& state, Vec gradient);
  void audit(HistoryRow& row, const DynamicsState& state);

  Experiment& experiment_;
  const TrainSettings& settings_;
  bool held_ = true;
  double last_contraction_ = 0.0;
  WatchedObjective::Tally fallbacks_;
  VecHandle exact_;  // the exact gradient, for -gradient_check
};

}  // namespace run
}  // namespace poise
