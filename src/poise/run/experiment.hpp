#pragma once

#include <memory>
#include <optional>
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
inline namespace run {

/// The stages of a training for -log_view. They are made together, so that they have the same numbers on all
/// ranks.
struct Stages {
  LogStage setup{"Setup"};
  LogStage training{"Training"};
  LogStage recording{"Recording"};  ///< measuring the row of a step, and flushing run.h5
  LogStage audit{"Audit"};
  LogStage checkpoints{"Checkpoint I/O"};

  static const Stages& get() {
    static const Stages stages;
    return stages;
  }
};

/// Sums over the steps since the last recorded step.
struct Interval {
  Index gradients = 0;                                     ///< number of gradients that were observed
  double loss = 0.0, accuracy = 0.0, penalty = 0.0;        ///< sums over these gradients
  Index equilibrium_fallbacks = 0, adjoint_fallbacks = 0;  ///< number of samples, over all evaluations
};

/// The recorded step with the best score of the validation samples so far (-validation_measure).
struct BestStep {
  Index step = -1;  ///< negative: no step was recorded yet
  double t = 0.0;
  Score validation, test;  ///< there
  Index waited = 0;        ///< number of recorded steps since then, see -patience
};

/// The checkpoint of an older run whose weights the run began with (-start_from); without it, no path.
struct Origin {
  std::string path;  ///< absolute
  Index step = 0;
};

/// The state of a run: everything that changes from step to step, except the audit. Borrows the Vecs.
struct Point {
  Vec theta = nullptr;
  DynamicsState state;
  Interval interval;
  BestStep best;
  std::vector<std::pair<std::string, Vec>> vectors;  ///< Dynamics::vectors()
  /// The state of the audit at this point. If not set, the audit is still at this point.
  std::optional<LiveAudit::State> audit = {};
};

/// A copy of a Point, to return to later.
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
  BestStep best_;
  std::vector<std::pair<std::string, VecHandle>> vectors_;
  std::optional<LiveAudit::State> audit_;
};

/// A copy of what an observer saw, for later use.
struct KeptEvaluation {
  /// Collective on the communicator of the gradient.
  void keep(const DynamicsState& at, Vec gradient_there, const Evaluation& found);

  bool is_set = false;
  DynamicsState state;
  VecHandle gradient;
  Evaluation evaluation;
};

/// Collective on the world. Reads θ from /parameters of a checkpoint. Throws bad_input if a block is missing
/// or has a different shape.
void restore_parameters(const Checkpoint& checkpoint, const ParameterLayout& layout, Vec theta);

/// All parts of a training run, built from its settings; saves and restores them in checkpoints.
class Experiment {
 public:
  /// Collective. Reads the data, fits the features, makes model, objective, dynamics and audit. If
  /// `checkpoint` is not null, the features, θ, and the state of dynamics and audit come from it. If `start`
  /// is not null, the features and θ of a new run come from it (-start_from). Throws bad_input.
  Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint,
             const Checkpoint* start = nullptr);
  Experiment(const Experiment&) = delete;  // its parts point to each other
  Experiment& operator=(const Experiment&) = delete;

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] const TrainingData& data() const { return data_; }
  [[nodiscard]] const Problem& problem() const { return data_.problem(); }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const ParameterLayout& layout() const { return network_.layout(); }
  [[nodiscard]] WatchedObjective& objective() { return objective_; }
  [[nodiscard]] Dynamics& dynamics() { return *dynamics_; }
  [[nodiscard]] LiveAudit* audit() { return audit_.get(); }
  /// Null if every step uses all samples.
  [[nodiscard]] const Minibatches* batches() const { return batches_.get(); }
  [[nodiscard]] Vec theta() const { return theta_.get(); }
  [[nodiscard]] DynamicsState& state() { return state_; }
  [[nodiscard]] const Origin& origin() const { return origin_; }
  [[nodiscard]] Interval& interval() { return interval_; }
  [[nodiscard]] BestStep& best() { return best_; }
  /// Whether there are validation samples.
  [[nodiscard]] bool validates() const { return problem().validation.total > 0; }
  /// Not collective. Takes the scores at a recorded step into account; returns whether it is the best so far.
  bool note_validation(const DynamicsState& state, const Score& validation, const Score& test);
  /// Not collective. The better one of the best measure so far and the measure of a new score; NaN without
  /// validation samples.
  [[nodiscard]] double best_measure(const Score& validation) const;
  /// Whether -patience ends the run.
  [[nodiscard]] bool out_of_patience() const { return patience_ > 0 && best_.waited >= patience_; }
  /// The latest end of the run; infinite if only steps end it.
  [[nodiscard]] double end_time() const { return end_time_; }
  [[nodiscard]] Index max_steps() const { return max_steps_; }
  /// Whether a resumed run has nothing left to do.
  [[nodiscard]] bool at_end() const {
    return state_.shown && (state_.t >= end_time_ || state_.step >= max_steps_ || out_of_patience());
  }
  /// Number of steps from one recorded step to the next.
  [[nodiscard]] Index record_every() const { return record_every_; }
  /// Whether the loss has classes, so that an accuracy exists.
  [[nodiscard]] bool has_accuracy() const {
    return data_.info().classification || problem().loss->targets() == Targets::binary;
  }
  /// Collective. Training loss and accuracy; makes a pass over the samples if `evaluation` has no accuracy.
  [[nodiscard]] Score train_score(const Evaluation& evaluation);

  /// Collective. The loop of a run, the only one: the dynamics moves θ and the state until the run ends or
  /// `observer` returns false. Run observes with history and checkpoints, poise-sweep with the audit alone.
  StopReason advance(const Observer& observer);
  /// Collective. The audit of Theorem 1 at θ. Only where `audit()` is not null.
  AuditPoint audit_here(const DynamicsState& state, double gradient_norm);

  /// Collective. Takes θ and the state and vectors of the dynamics, but not the audit, from a checkpoint of
  /// the same run.
  void restore_point(const Checkpoint& checkpoint);
  /// Collective. New dynamics for this run that end at `end_time` or `max_steps`. Their vectors are not set.
  [[nodiscard]] std::unique_ptr<Dynamics> make_dynamics(const TrainSettings& settings, double end_time,
                                                        Index max_steps);

  /// Collective. The point of the run with these parameters and this state; borrows `theta` and the vectors
  /// of the dynamics.
  [[nodiscard]] Point point(Vec theta, const DynamicsState& state);
  /// Collective. The same, with the state of the audit, so that the point can be saved later.
  [[nodiscard]] Point lasting_point(Vec theta, const DynamicsState& state);
  /// Collective. Adds everything that a checkpoint of the run at `point` stores; the snapshot borrows from
  /// this object and from the point.
  void save(Snapshot& snapshot, const Point& point);

 private:
  [[nodiscard]] double measure(const Score& score) const;
  [[nodiscard]] bool is_better(const Score& validation) const;
  void read_limits(const TrainSettings& settings);
  void restore(const Checkpoint& checkpoint);
  void begin_at(const Checkpoint& start);

  ProcessGrid grid_;
  TrainingData data_;
  Network network_;
  WatchedObjective objective_;
  std::unique_ptr<Minibatches> batches_;
  std::unique_ptr<LiveAudit> audit_;
  LiveAudit::State audit_state_;  ///< what the last snapshot borrows
  std::unique_ptr<Dynamics> dynamics_;
  VecHandle theta_;
  DynamicsState state_;
  Interval interval_;
  BestStep best_;
  Origin origin_;
  double end_time_ = 0.0;
  Index max_steps_ = 0, record_every_ = 1, patience_ = 0;
  bool best_by_accuracy_ = false;
};

}  // namespace run
}  // namespace poise
