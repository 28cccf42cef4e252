#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "poise/io/checkpoint.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/model/scales.hpp"
#include "poise/objective/objective.hpp"
#include "poise/run/sample_source.hpp"
#include "poise/run/settings.hpp"

namespace poise {
inline namespace run {

/// Collective. Returns `path` if it exists, else the path that `checkpoint` (may be null) has stored if that
/// file exists and has the same name. Throws bad_input if there is no such file.
[[nodiscard]] std::string find_data(MPI_Comm comm, const std::string& path, const Checkpoint* checkpoint);

/// Not collective. Throws bad_input, the same on every rank, if the header of the data does not fit -loss,
/// -train_samples or -batch. Returns q, the number of outputs that the loss needs.
Index require_fitting(const TrainSettings& settings, const DatasetInfo& info);

/// What the columns and classes of a run's data are called, and how its network sees the answers.
struct DataNames {
  std::vector<std::string> inputs, targets, classes;  ///< empty if the data have no names
  Index class_count = 0;                              ///< 0: a regression
  /// False for the checkpoint of a version that did not store them: then nothing else is known, either.
  bool known = false;

  /// Collective. From the group /data of a checkpoint.
  static DataNames of(const Checkpoint& checkpoint);
};

/// Collective on the world. The fitted features that a checkpoint stores. Throws bad_input.
[[nodiscard]] Features stored_features(const ProcessGrid& grid, const TrainSettings& settings,
                                       const Checkpoint& checkpoint);
/// Collective on the world. The scale of the targets that a checkpoint stores; not set if it stores none.
/// Throws bad_input.
[[nodiscard]] TargetScale stored_target_scale(const Checkpoint& checkpoint, Index outputs);

/// The samples of a run and their features.
class TrainingData {
 public:
  /// Collective on the world. `grid` must outlive this object. Reads the data. Takes the features from
  /// `checkpoint`, a checkpoint of the same run; or, if it is null, from `start`, a checkpoint of another run
  /// (-start_from); or else fits them. Throws bad_input.
  TrainingData(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint* checkpoint,
               const Checkpoint* start = nullptr);

  [[nodiscard]] const DatasetInfo& info() const { return info_; }
  [[nodiscard]] const Problem& problem() const { return problem_; }
  /// Collective on the world. Reads the samples that the features are fitted to again: this rank's training
  /// samples, or its nodes of a graph.
  [[nodiscard]] SampleBlock read_fitted() const { return source_->read_fitted(); }
  /// The graph with the features of this rank's nodes; null if the samples are no nodes of a graph.
  [[nodiscard]] const GraphNodes* graph() const { return graph_.get(); }
  [[nodiscard]] const Features& features() const { return *features_; }
  /// The map from the targets of the data to the targets of the problem.
  [[nodiscard]] const TargetScale& target_scale() const { return target_scale_; }
  /// Number of samples per class; empty for a regression, or if there is no test set.
  [[nodiscard]] const std::vector<Index>& train_classes() const { return train_classes_; }
  [[nodiscard]] const std::vector<Index>& test_classes() const { return test_classes_; }
  /// The weight ω of each class (-class_weight); if empty, all weights are 1.
  [[nodiscard]] const std::vector<double>& class_weights() const { return class_weights_; }
  /// The linear map that made the data, [outputs, inputs], row-major; empty if the file does not hold it.
  [[nodiscard]] const std::vector<double>& teacher() const { return teacher_; }
  /// A fingerprint of the values of all samples; the same on every rank and for every grid.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
  /// Not collective. Adds the features, the scale of the targets, the names, and the path and fingerprint of
  /// the data; the snapshot borrows from this object.
  void save(Snapshot& snapshot) const;

 private:
  void fit_features(const TrainSettings& settings, const SampleBlock& train);
  void restore_features(const TrainSettings& settings, const Checkpoint& checkpoint);
  void set_target_scale(const TrainSettings& settings, const SampleBlock& train,
                        const Checkpoint* checkpoint);
  void require_validation(const TrainSettings& settings) const;
  void count_classes(const SampleBlock& train, const SampleBlock& test);
  [[nodiscard]] SampleSet make_samples(SplitSamples samples, Index total) const;
  void make_graph();
  [[nodiscard]] std::vector<double> sample_weights() const;
  void require_binary(const SampleSet& samples) const;
  void take_fingerprint(std::initializer_list<const SplitSamples*> sets);
  void require_same_data(const Checkpoint& checkpoint) const;

  const ProcessGrid& grid_;
  std::unique_ptr<SampleSource> source_;
  DatasetInfo info_;
  Problem problem_;
  std::unique_ptr<GraphNodes> graph_;
  std::unique_ptr<Features> features_;
  std::vector<double> teacher_;
  TargetScale target_scale_;
  std::vector<Index> train_classes_, test_classes_;
  std::vector<double> class_weights_;
  std::string data_path_;  ///< absolute
  std::string fingerprint_;
};

}  // namespace run
}  // namespace poise
