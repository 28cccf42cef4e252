#pragma once

#include <string>
#include <vector>

#include "poise_train/experiment.hpp"

namespace poise {

/// One row of the history (run.h5, /history) and of the table on the terminal.
struct HistoryRow {
  double step = 0, t = 0, loss = 0, loss_excess = 0, grad_norm = 0, train_accuracy = 0, test_loss = 0,
         test_accuracy = 0, lambda_min = 0, lambda_T = 0, lambda_floor = 0, kappa = 0, kappa_measured = 0,
         bound = 0, bound_integrated = 0, equilibrium_iterations = 0, adjoint_iterations = 0,
         wall_seconds = 0;
  [[nodiscard]] static const std::vector<std::string>& columns();
  [[nodiscard]] std::vector<double> values() const;
};

/// What a person sees: printed by rank 0, other ranks print nothing. Not collective.
class Report {
 public:
  Report(Experiment& experiment, const TrainSettings& settings, const std::string& run);

  void header() const;
  /// Prints a row if it is the first, if a twentieth of the run has passed since the last one, or if 5 s
  /// have.
  void row(const HistoryRow& row, bool last);
  void summary(const HistoryRow& first, const HistoryRow& last, StopReason reason, double seconds) const;

 private:
  [[nodiscard]] double progress(const HistoryRow& row) const;

  Experiment& experiment_;
  const TrainSettings& settings_;
  std::string run_;
  bool speaks_;
  double last_step_ = -1.0;
  double last_progress_ = -1.0;
  double last_time_ = 0.0;
  double start_progress_ = -1.0;
  double start_time_ = 0.0;
};

}  // namespace poise
