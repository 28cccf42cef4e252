#pragma once

#include "poise/run/experiment.hpp"
#include "poise/run/history_row.hpp"

namespace poise {

/// Measures what the history holds of a step, and gathers what happens between recorded ones.
class Recorder {
 public:
  /// Not collective. Both must outlive it.
  Recorder(Experiment& experiment, const TrainSettings& settings)
      : experiment_(experiment), settings_(settings) {}

  /// Not collective. To be called at every step.
  void gather(const Evaluation& evaluation);
  [[nodiscard]] bool due(Index step) const { return step % experiment_.record_every() == 0; }
  /// Collective. The row of a step (without wall_seconds) after `gather`; what was gathered starts anew.
  HistoryRow measure(const DynamicsState& state, Vec gradient, const Evaluation& evaluation);
  /// Whether the audit's bounds held at the last recorded step.
  [[nodiscard]] bool held() const { return held_; }
  /// Samples that fell back to the ladder, and in how many gradients, since this start.
  [[nodiscard]] const WatchedObjective::Tally& fallbacks() const { return fallbacks_; }

 private:
  void measure_losses(HistoryRow& row, const Evaluation& evaluation);
  void measure_solves(HistoryRow& row, const Evaluation& evaluation) const;
  void measure_certificate(HistoryRow& row);
  void measure_gradient(HistoryRow& row, const DynamicsState& state, Vec gradient);
  void audit(HistoryRow& row, const DynamicsState& state);

  Experiment& experiment_;
  const TrainSettings& settings_;
  bool held_ = true;
  double last_contraction_ = 0.0;
  WatchedObjective::Tally fallbacks_;
  VecHandle exact_;  // gradient to compare with
};

}  // namespace poise
