#pragma once

#include <memory>
#include <vector>

#include "poise/io/checkpoint.hpp"
#include "poise/predict/new_samples.hpp"
#include "poise/run/network.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/training_data.hpp"

namespace poise {
inline namespace predict {

/// A trained network that is applied to samples. It is built from a checkpoint alone, without the data that
/// it was trained on.
class Predictor {
 public:
  /// Collective on the world. `grid` must outlive it. `settings`: of the run (recall_settings). `samples`:
  /// the largest number of samples of a rank in a call of `predict`. Throws bad_input.
  Predictor(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint& checkpoint,
            Index samples);
  /// The same for all nodes of a graph together. `rows`: of this rank's nodes. `inputs`: of these nodes,
  /// inputs x nodes, column-major.
  Predictor(const ProcessGrid& grid, const TrainSettings& settings, const Checkpoint& checkpoint,
            const GraphRows& rows, const std::vector<double>& inputs);
  Predictor(const Predictor&) = delete;  // its parts point to each other
  Predictor& operator=(const Predictor&) = delete;

  /// Collective. What the network of a checkpoint takes and gives. Throws bad_input.
  [[nodiscard]] static NetworkSides sides_of(const TrainSettings& settings, const Checkpoint& checkpoint);
  /// Collective. q of the network of a checkpoint. Throws bad_input.
  [[nodiscard]] static Index outputs_of(const Checkpoint& checkpoint);
  [[nodiscard]] Index inputs() const { return features_.inputs(); }
  /// q, the length of f.
  [[nodiscard]] Index outputs() const { return problem_.outputs; }
  /// The number of classes; 0 for a regression.
  [[nodiscard]] Index classes() const { return classes_of(loss(), outputs(), names_); }
  [[nodiscard]] static Index classes_of(const Loss& loss, Index outputs, const DataNames& names);
  /// Whether the loss turns outputs into probabilities of the classes.
  [[nodiscard]] bool has_probabilities() const { return loss().classification() != nullptr; }
  [[nodiscard]] const Loss& loss() const { return *problem_.loss; }
  /// Whether the loss of a set is the mean over its samples, not the sum (-loss_scale).
  [[nodiscard]] bool mean() const { return problem_.mean; }
  /// The names of the data that the network was trained on.
  [[nodiscard]] const DataNames& names() const { return names_; }
  [[nodiscard]] const NetworkSettings& network() const { return settings_.network; }
  /// The type of the equilibrium solver; empty if the network solves no equilibrium.
  [[nodiscard]] std::string solver() const;

  /// Collective on grid.feature(). Applies the network to the columns of x (inputs x count), which are the
  /// same on all ranks of grid.feature(). The outputs are in the unit of the targets of the data.
  void predict(Index count, const double* x, Prediction& prediction);
  /// Collective on the world. The same for this rank's nodes of the graph. Throws failure, which names the
  /// worst node, if their equilibrium was not found.
  void predict_nodes(Prediction& prediction);
  /// Not collective. The classes with the largest output, from the outputs of `count` samples.
  [[nodiscard]] std::vector<Index> predicted_classes(Index count, const std::vector<double>& outputs) const;
  /// Not collective. The probabilities of the classes: classes x count, column-major. Only with
  /// has_probabilities().
  [[nodiscard]] std::vector<double> probabilities(Index count, const std::vector<double>& outputs) const;

 private:
  void build(const ProcessGrid& grid, const Checkpoint& checkpoint, const GraphNodes* nodes);
  void unscale(std::vector<double>& outputs) const;

  TrainSettings settings_;
  DataNames names_;
  Features features_;
  TargetScale target_scale_;
  Problem problem_;
  std::unique_ptr<Network> network_;
  VecHandle theta_;
  SampleObjective* objective_ = nullptr;  // the network's
  std::vector<double> phi_;
};

}  // namespace predict
}  // namespace poise
