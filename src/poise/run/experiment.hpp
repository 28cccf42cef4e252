#pragma once

#include <memory>

#include "poise/dynamics/dynamics.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/objective/minibatches.hpp"
#include "poise/run/network.hpp"
#include "poise/run/point.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/watched_objective.hpp"
#include "poise/theory/live_audit.hpp"

namespace poise {

/// Everything a training run consists of, built from its settings, and its way into and out of checkpoints.
class Experiment {
 public:
  /// Collective. Reads the data, fits the features (or takes them from `checkpoint`, which also gives θ and
  /// the state of dynamics and audit), makes model, objective, dynamics and audit. Throws bad_input.
  Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint);
  Experiment(const Experiment&) = delete;  // its parts point at one another
  Experiment& operator=(const Experiment&) = delete;

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] const TrainingData& data() const { return data_; }
  [[nodiscard]] const Problem& problem() const { return data_.problem(); }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const ParameterLayout& layout() const { return network_.layout(); }
  [[nodiscard]] WatchedObjective& objective() { return objective_; }
  [[nodiscard]] Dynamics& dynamics() { return *dynamics_; }
  [[nodiscard]] LiveAudit* audit() { return audit_.get(); }
  /// Null if every step is of all samples.
  [[nodiscard]] const Minibatches* batches() const { return batches_.get(); }
  [[nodiscard]] Vec theta() const { return theta_.get(); }
  [[nodiscard]] DynamicsState& state() { return state_; }
  [[nodiscard]] Interval& interval() { return interval_; }
  /// Where the run ends at the latest; infinite where time does not count.
  [[nodiscard]] double end_time() const { return end_time_; }
  [[nodiscard]] Index max_steps() const { return max_steps_; }
  /// Whether a resumed run has nothing left to do.
  [[nodiscard]] bool at_end() const {
    return state_.shown && (state_.t >= end_time_ || state_.step >= max_steps_);
  }
  /// Steps from one recorded to the next.
  [[nodiscard]] Index record_every() const { return record_every_; }
  /// Whether the share of right classes means anything.
  [[nodiscard]] bool has_accuracy() const {
    return data_.info().classification || problem().loss->targets() == Targets::binary;
  }
  /// Collective. Training loss and accuracy, by a pass over the samples where the evaluation has no accuracy.
  [[nodiscard]] Score train_score(const Evaluation& evaluation);

  /// Collective. The loop of a run, the only one: the dynamics moves θ and the state until the run ends or
  /// `observer` returns false. Run observes with history and checkpoints, poise-sweep with the audit alone.
  StopReason advance(const Observer& observer);
  /// Collective. The audit of Theorem 1 at θ. Only where `audit()` is not null.
  AuditPoint audit_here(const DynamicsState& state, double gradient_norm);

  /// Collective. Goes to where another checkpoint of the same run stands: θ, the state and vectors of the
  /// dynamics; not the audit.
  void restore_point(const Checkpoint& checkpoint);
  /// Collective. New dynamics of this run that end elsewhere; its vectors are unset.
  [[nodiscard]] std::unique_ptr<Dynamics> make_dynamics(const TrainSettings& settings, double end_time,
                                                        Index max_steps);

  /// Collective. Where the run stands with θ at `theta`; borrows it and the vectors of the dynamics.
  [[nodiscard]] Point point(Vec theta, const DynamicsState& state);
  /// Collective. All of the run at `point` as a checkpoint stores it; borrows from this object and the point.
  void save(Snapshot& snapshot, const Point& point);

 private:
  void read_limits(const TrainSettings& settings);
  void restore(const Checkpoint& checkpoint);
  void restore_audit(const Checkpoint& checkpoint);

  ProcessGrid grid_;
  TrainingData data_;
  Network network_;
  WatchedObjective objective_;
  std::unique_ptr<Minibatches> batches_;
  std::unique_ptr<LiveAudit> audit_;
  std::unique_ptr<Dynamics> dynamics_;
  VecHandle theta_;
  DynamicsState state_;
  Interval interval_;
  double end_time_ = 0.0;
  Index max_steps_ = 0, record_every_ = 1;
};

}  // namespace poise
