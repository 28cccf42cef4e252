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

/// One training run: what happens at every step, and what is written where.
///
/// A checkpoint is a point from which a run goes on as if it had not stopped, bit by bit. Warm starts would
/// break that: the run that goes on has them, the one that restarts has not. So at every checkpoint that
/// -checkpoint_every schedules, the run computes its gradient without warm starts and forgets them, as a
/// restart does, also where the checkpoint is left out because it would cost too much time: what a run
/// computes must not depend on the clock. A checkpoint at another step (asked for by a signal, a deadline or
/// the clock, or at the end of a run that is then made longer) leaves, with -warm_start, a resumed run that
/// equals the straight one to the tolerance of the solvers only.
class Run {
 public:
  /// Collective. All arguments but `past` must outlive it.
  Run(Experiment& experiment, const TrainSettings& settings, const Options& options,
      const RunDirectory& directory, Interruptions& interruptions, const History& past);
  /// Collective. Marks the run directory as done if the end of the run was reached. Returns not_verified if
  /// it was, but the audit could not confirm the theorem. Throws failure if a solve failed or a bound was
  /// violated.
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
  /// The row of the last step, where that is none of every Nth of -audit_every.
  void record_end();
  void save(const Point& point);
  void forget(Index step, Vec theta, Vec gradient);
  [[nodiscard]] bool may_rise() const;
  [[nodiscard]] bool scheduled_at(Index step) const;
  /// Collective. Whether a scheduled checkpoint is to be written: rank 0's clock decides for all.
  bool affordable();
  /// Saves and records the last good point after an error; says where it is, as a part of the message.
  std::string rescue();
  std::string save_best(const Point& last);
  void require_held() const;

  Experiment& experiment_;
  const TrainSettings& settings_;
  const RunDirectory& directory_;
  std::vector<std::pair<std::string, std::string>> config_;
  Recorder recorder_;
  Report report_;
  RunFile file_;
  Interruptions& interruptions_;
  KeptPoint kept_, best_;   // the last good point; where the loss may rise, the one of the least
  double last_loss_ = 0.0;  // with the penalty, at the last good point
  CheckpointCost cost_;
  double seconds_before_;
  double start_ = 0.0;
  HistoryRow first_, last_;
  KeptEvaluation unrecorded_;  // of the step seen last, if it was not recorded
  bool past_end_ = false;  ///< the history has the row of a former end, to be dropped where the run goes on
  Index recorded_ = 0, last_step_ = 0;  // rows; the step observed last
  Index last_saved_ = -1;
  std::string last_path_;
  Interruptions::Stop asked_to_stop_ = Interruptions::Stop::no;
};

}  // namespace poise
