#pragma once

#include <string>

#include "poise/run/experiment.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/recorder.hpp"

namespace poise {
inline namespace run {

/// The text on the terminal. Only rank 0 prints. Not collective except where a method says so.
class Report {
 public:
  /// Collective: the header describes the model at the θ of the start.
  Report(Experiment& experiment, const TrainSettings& settings, const std::string& run);

  void header() const;
  /// Prints a row if it is the first or the `last`, or if a twentieth of the run or 5 s have passed since the
  /// row printed before.
  void row(const HistoryRow& row, bool last);
  void summary(const HistoryRow& first, const HistoryRow& last, StopReason reason, double seconds,
               const WatchedObjective::Tally& fallbacks, const CheckpointCost& checkpoints) const;
  /// For a resumed run that is already at or past its end.
  void nothing_to_do(const DynamicsState& state) const;
  /// Says what asked the run to stop, and how to continue.
  void asked_to_stop(Interruptions::Stop who) const;

  /// "reached the end time", "a signal".
  [[nodiscard]] static const char* reason(StopReason reason);
  [[nodiscard]] static const char* asker(Interruptions::Stop who);

 private:
  void print_data() const;
  void print_classes() const;
  void print_features() const;
  void print_targets() const;
  void print_model() const;
  void print_digits() const;
  void print_gradient() const;
  void print_solvers() const;
  void print_dynamics() const;
  void print_ranks() const;
  void print_audit() const;
  void print_best() const;
  void print_fallbacks(const WatchedObjective::Tally& fallbacks) const;
  static void print_checkpoints(const CheckpointCost& checkpoints, double seconds);
  [[nodiscard]] std::string certificate_text() const;
  double seconds_left(const HistoryRow& row, double now);
  [[nodiscard]] double progress(const HistoryRow& row) const;

  Experiment& experiment_;
  const TrainSettings& settings_;
  std::string run_;
  Certificate certificate_;
  double warm_bytes_;
  bool speaks_;
  double last_step_ = -1.0;
  double last_progress_ = -1.0;
  double last_time_ = 0.0;
};

}  // namespace run
}  // namespace poise
