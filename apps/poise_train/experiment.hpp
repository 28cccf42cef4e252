#pragma once

#include <memory>

#include "poise/dynamics/dynamics.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/dataset.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/model/softmax_linear.hpp"
#include "poise/objective/collapsed_objective.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/theory/live_audit.hpp"
#include "poise_train/settings.hpp"

namespace poise {

/// Everything a training run consists of, built from its settings, and its way into and out of checkpoints.
class Experiment {
 public:
  /// Collective. Reads the data, fits the features (or takes them from `checkpoint`, which also gives θ and
  /// the state of dynamics and audit), makes model, objective, dynamics and audit. Throws bad_input.
  Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint);

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] const DatasetInfo& data() const { return info_; }
  [[nodiscard]] const Problem& problem() const { return problem_; }
  [[nodiscard]] const FeatureMap& features() const { return *features_; }
  [[nodiscard]] const ParameterLayout& layout() const { return *layout_; }
  [[nodiscard]] Vec theta() const { return theta_.get(); }
  [[nodiscard]] Objective& objective() { return *objective_; }
  [[nodiscard]] Dynamics& dynamics() { return *dynamics_; }
  [[nodiscard]] LiveAudit* audit() { return audit_.get(); }
  [[nodiscard]] DynamicsState& state() { return state_; }
  /// Whether the share of right classes means anything.
  [[nodiscard]] bool has_accuracy() const {
    return info_.classification || problem_.loss == LossKind::logistic;
  }
  /// Collective. Training loss and accuracy, by a pass over the samples where the evaluation has no accuracy.
  [[nodiscard]] Score train_score(const Evaluation& evaluation);

  /// Collective. All of the run as a checkpoint stores it; borrows from this object.
  void save(Snapshot& snapshot);

 private:
  void read_data(const TrainSettings& settings, const Checkpoint* checkpoint);
  [[nodiscard]] SampleSet make_samples(SampleBlock block, Index total) const;
  void build_features(const TrainSettings& settings, const SampleBlock& train, const Checkpoint* checkpoint);
  void build_solvers(const TrainSettings& settings);
  void restore(const Checkpoint& checkpoint);

  ProcessGrid grid_;
  DatasetInfo info_;
  Problem problem_;
  std::unique_ptr<FeatureMap> features_;
  std::unique_ptr<ParameterLayout> layout_;
  std::unique_ptr<SoftmaxLinear> map_;
  std::unique_ptr<CollapsedModel> model_;
  std::unique_ptr<ShallowLoss> shallow_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<Dynamics> dynamics_;
  std::unique_ptr<LiveAudit> audit_;
  VecHandle theta_;
  DynamicsState state_;
};

}  // namespace poise
