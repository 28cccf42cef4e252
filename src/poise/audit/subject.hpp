#pragma once

#include <memory>

#include "poise/graph_solve/graph_objective.hpp"
#include "poise/run/experiment.hpp"
#include "poise/theory/live_audit.hpp"

namespace poise {
inline namespace audit {

/// The run under audit, built again from its settings, and the additional objects that the claims measure
/// with.
class Subject {
 public:
  /// Collective. Takes the features from `checkpoint`. Throws bad_input, also if the data are missing.
  Subject(MPI_Comm comm, const TrainSettings& settings, const Checkpoint& checkpoint);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  [[nodiscard]] const TrainSettings& settings() const { return settings_; }
  [[nodiscard]] const NetworkSettings& network() const { return settings_.network; }
  [[nodiscard]] Experiment& experiment() { return experiment_; }
  [[nodiscard]] const ProcessGrid& grid() const { return experiment_.grid(); }
  [[nodiscard]] const ParameterLayout& layout() const { return experiment_.layout(); }
  [[nodiscard]] const Problem& problem() const { return experiment_.problem(); }
  /// θ at the start: from the seed, or with -start_from from the checkpoint of step 0.
  [[nodiscard]] Vec start() const { return start_.get(); }

  /// Whether the model has W, D and L₀: the softmax-linear model, however its gradient is computed.
  [[nodiscard]] bool linear() const { return model_ != nullptr; }
  /// Why Theorem 1 does not apply to this run; empty if it applies.
  [[nodiscard]] std::string beyond_the_theorem() const { return settings_.beyond_the_theorem(); }
  /// Only for a softmax-linear model.
  [[nodiscard]] CollapsedModel& model() { return *model_; }
  [[nodiscard]] ShallowLoss& loss() { return *loss_; }

  /// Whether the run solves for equilibria, or computes the same function by the collapsed model.
  [[nodiscard]] bool has_equilibria() const {
    return network().solves_equilibria() || network().is_collapsed();
  }
  /// An equilibrium map for such a run, separate from the map of its objective.
  [[nodiscard]] EquilibriumMap& map() { return *map_; }
  /// Loss and gradient by exact equilibria and adjoints without warm starts.
  [[nodiscard]] Objective& exact() { return graph_ ? static_cast<Objective&>(*graph_) : *exact_; }
  /// Relative tolerance of its equilibria.
  [[nodiscard]] double rtol() const { return graph_ ? graph_->rtol() : exact_->equilibrium().rtol(); }
  /// The same object as `exact`, if the samples are nodes of a graph; else null.
  [[nodiscard]] GraphObjective* graph() { return graph_.get(); }
  /// The objective with the exact gradient: `exact` if the run's own gradient is inexact, else the run's
  /// objective.
  [[nodiscard]] Objective& true_objective();
  /// Whether the run moves along the gradient of its loss.
  [[nodiscard]] bool follows_gradient() const { return network().backward.exact(); }

  /// Collective. An upper bound of ‖∇L₀‖ without the cancellation between samples, s Σ_i ‖∇ℓ_i‖ ‖φ_i‖. Errors
  /// of a gradient that is a sum over samples are relative to this size.
  [[nodiscard]] double gradient_size(double loss) const;
  /// Collective. The error of a loss that follows from the accuracy of the outputs. With large targets a
  /// squared loss is a small difference of large outputs and targets.
  [[nodiscard]] double loss_noise(double loss) const;
  /// Relative accuracy of a gradient of the run: the tolerance of the solves times their condition.
  [[nodiscard]] double gradient_accuracy() const;
  /// Bound of ‖∂h/∂z‖ if a bound below 1 is known, else 1 − 1e-2.
  [[nodiscard]] double contraction() const;

 private:
  static TrainSettings without_audit(TrainSettings settings);
  void make_exact();
  void measure_data();

  TrainSettings settings_;
  Experiment experiment_;
  VecHandle start_;
  std::unique_ptr<CollapsedModel> own_model_;
  std::unique_ptr<ShallowLoss> own_loss_;
  CollapsedModel* model_ = nullptr;
  ShallowLoss* loss_ = nullptr;
  std::unique_ptr<EquilibriumMap> map_;
  std::unique_ptr<EquilibriumObjective> exact_;
  std::unique_ptr<GraphObjective> graph_;
  double features_norm2_ = 0.0;  // s ‖Φ‖²_F
  double targets_norm2_ = 0.0;   // s ‖Y‖²_F
};

}  // namespace audit
}  // namespace poise
