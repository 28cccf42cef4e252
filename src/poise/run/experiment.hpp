#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/log_event.hpp"
#include "poise/dynamics/dynamics.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/objective/minibatches.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/run/network.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/watched_objective.hpp"
#include "poise/theory/live_audit.hpp"

namespace poise {

/// The stages of a training for -log_view. Made together, so that all ranks know them by the same numbers.
struct Stages {
  LogStage setup{"Setup"};
  LogStage training{"Training"};
  LogStage recording{"Recording"};  ///< what the history says of a step, and the flush of run.h5
  LogStage audit{"Audit"};
  LogStage checkpoints{"Checkpoint I/O"};

  static const Stages& get() {
    static const Stages stages;
    return stages;
  }
};

/// What has been gathered since the last recorded step.
struct Interval {
  Index gradients = 0;                                     ///< observed ones
  double loss = 0.0, accuracy = 0.0, penalty = 0.0;        ///< their sums
  Index equilibrium_fallbacks = 0, adjoint_fallbacks = 0;  ///< samples, of all evaluations
};

/// Where a run stands: all that changes from step to step, but for the audit. Borrows the Vecs.
struct Point {
  Vec theta = nullptr;
  DynamicsState state;
  Interval interval;
  std::vector<std::pair<std::string, Vec>> vectors;  ///< of the dynamics
};

/// A copy of a Point, to go back to.
class KeptPoint {
 public:
  /// Collective on θ's communicator.
  void keep(const Point& point);
  [[nodiscard]] bool empty() const { return !theta_; }
  [[nodiscard]] Point point() const;

 private:
  VecHandle theta_;
  DynamicsState state_;
  Interval interval_;
  std::vector<std::pair<std::string, VecHandle>> vectors_;
};

/// A copy of what an observer saw, to look at it later.
struct KeptEvaluation {
  /// Collective on the communicator of the gradient.
  void keep(const DynamicsState& at, Vec gradient_there, const Evaluation& found);

  bool is_set = false;
  DynamicsState state;
  VecHandle gradient;
  Evaluation evaluation;
};

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
