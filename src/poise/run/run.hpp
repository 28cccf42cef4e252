#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/base/clock.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"
#include "poise/run/experiment.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/recorder.hpp"
#include "poise/run/report.hpp"

namespace poise {
inline namespace run {

/// One training run: what happens at every step, and which files it writes.
///
/// A run that resumes from a checkpoint equals the uninterrupted run bit by bit. Warm starts would break
/// this, because a resumed run has none. So at every step that -checkpoint_every schedules, the run computes
/// its gradient without warm starts and forgets them, as a restart does. It does so even if the checkpoint is
/// left out because it would take too much time: what a run computes must not depend on the clock. After a
/// checkpoint at any other step (asked for by a signal, a deadline or the clock, or at the end of a run that
/// is later made longer) and with -warm_start, the resumed run equals the uninterrupted one only to the
/// tolerance of the solvers.
class Run {
 public:
  /// Collective. All arguments except `past` must outlive it.
  Run(Experiment& experiment, const TrainSettings& settings, const Options& options,
      const RunDirectory& directory, Interruptions& interruptions, const History& past);
  /// Collective. Marks the run directory as done if the run reached its end. Returns done, or not_verified if
  /// the audit could not confirm the theorem, or requeue if the run was asked to stop. Throws failure if a
  /// solve failed or a bound was violated.
  ExitCode go();

 private:
  StopReason train();
  ExitCode finish(StopReason reason);
  void note_progress();
  [[nodiscard]] AuditOutcome outcome() const;
  void note_end(const char* state, const std::string& reason);
  [[nodiscard]] double seconds() const { return steady_seconds() - start_; }
  bool observe(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation);
  void record(const DynamicsState& state, Vec gradient, const Evaluation& evaluation);
  /// Keeps the point if its validation score is the best one so far. Call it after `record`.
  void watch_validation(const DynamicsState& state, Vec theta);
  /// Describes the best step in the attributes of run.h5.
  void note_best();
  void recall_best();
  /// Records the last step if it was not recorded yet (it need not be a multiple of -audit_every).
  void record_end();
  void save(const Point& point);
  /// Saves the best point if it is not saved yet, nor its step is the one that is saved next.
  void save_best(Index saved_next);
  std::string write(const Point& point, int keep);
  void forget(Index step, Vec theta, Vec gradient);
  [[nodiscard]] bool may_rise() const;
  [[nodiscard]] bool scheduled_at(Index step) const;
  /// Collective. Whether to write a scheduled checkpoint; rank 0's clock decides for all ranks.
  bool affordable();
  /// Saves and records the last good point after an error. Returns a text for the message that names the
  /// file.
  std::string rescue();
  std::string save_least(const Point& last);
  void require_held() const;

  Experiment& experiment_;
  const TrainSettings& settings_;
  const RunDirectory& directory_;
  std::vector<std::pair<std::string, std::string>> config_;
  OptionKinds config_kinds_;
  Recorder recorder_;
  Report report_;
  RunFile file_;
  Interruptions& interruptions_;
  KeptPoint kept_, least_;  // the last good point; the point of least loss, if the loss may rise
  KeptPoint best_;          // the best point by the validation samples
  double last_loss_ = 0.0;  // loss and penalty at the last good point
  CheckpointCost cost_;
  double seconds_before_;
  double start_ = 0.0;
  HistoryRow first_, last_;
  KeptEvaluation unrecorded_;                // the last step, if it was not recorded
  bool past_end_ = false;                    // the last row of the history is the end of the earlier run
  Index recorded_ = 0, last_step_ = 0;       // number of rows; the last observed step
  Index last_saved_ = -1, best_saved_ = -1;  // steps
  std::string last_path_;
  Interruptions::Stop asked_to_stop_ = Interruptions::Stop::no;
};

}  // namespace run
}  // namespace poise
