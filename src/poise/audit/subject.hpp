#pragma once

#include <memory>

#include "poise/run/experiment.hpp"
#include "poise/theory/live_audit.hpp"

namespace poise {

/// The run under audit, built again from its settings, and what its claims are measured with beside it.
class Subject {
 public:
  /// Collective. The features are those of `checkpoint`. Throws bad_input, also where the data are missing.
  Subject(MPI_Comm comm, const TrainSettings& settings, const Checkpoint& checkpoint);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  [[nodiscard]] const TrainSettings& settings() const { return settings_; }
  [[nodiscard]] const NetworkSettings& network() const { return settings_.network; }
  [[nodiscard]] Experiment& experiment() { return experiment_; }
  [[nodiscard]] const ProcessGrid& grid() const { return experiment_.grid(); }
  [[nodiscard]] const ParameterLayout& layout() const { return experiment_.layout(); }
  [[nodiscard]] const Problem& problem() const { return experiment_.problem(); }
  /// θ as the seed gives it.
  [[nodiscard]] Vec start() const { return start_.get(); }

  /// Whether W, D and L₀ are those of the model: softmax-linear, however its gradient is computed.
  [[nodiscard]] bool linear() const { return model_ != nullptr; }
  /// Why Theorem 1 says nothing about this run; empty if it does.
  [[nodiscard]] std::string beyond_the_theorem() const { return settings_.beyond_the_theorem(); }
  /// Of a softmax-linear model.
  [[nodiscard]] CollapsedModel& model() { return *model_; }
  [[nodiscard]] ShallowLoss& loss() { return *loss_; }

  /// Whether the run solves equilibria, or is what solving them would give.
  [[nodiscard]] bool has_equilibria() const {
    return network().solves_equilibria() || network().is_collapsed();
  }
  /// The equilibrium map of such a run, apart from that of its objective.
  [[nodiscard]] EquilibriumMap& map() { return *map_; }
  /// Loss and gradient by exact equilibria and adjoints without warm starts.
  [[nodiscard]] EquilibriumObjective& exact() { return *exact_; }
  /// What the gradient of the run is compared with and checked against: `exact` where the run's own gradient
  /// is inexact or a penalty's, else the run's objective.
  [[nodiscard]] Objective& true_objective();
  /// Whether the run moves along the gradient of its loss.
  [[nodiscard]] bool follows_gradient() const { return network().backward.exact(); }

  /// Collective. An upper bound of ‖∇L₀‖ without the cancellation between samples, s Σ_i ‖∇ℓ_i‖ ‖φ_i‖: what
  /// errors of a gradient that is summed over samples are relative to.
  [[nodiscard]] double gradient_size(double loss) const;
  /// Collective. By how much a loss may be off: what the accuracy of the outputs makes of it. A squared loss
  /// is a small difference of outputs and targets where the targets are large.
  [[nodiscard]] double loss_noise(double loss) const;
  /// Relative accuracy of a gradient of the run: tolerance of its solves times their condition.
  [[nodiscard]] double gradient_accuracy() const;
  /// Bound of ‖∂h/∂z‖ where there is one below 1, else 1 − 1e-2.
  [[nodiscard]] double contraction() const;

 private:
  static TrainSettings without_audit(TrainSettings settings);

  TrainSettings settings_;
  Experiment experiment_;
  VecHandle start_;
  std::unique_ptr<CollapsedModel> own_model_;
  std::unique_ptr<ShallowLoss> own_loss_;
  CollapsedModel* model_ = nullptr;
  ShallowLoss* loss_ = nullptr;
  std::unique_ptr<EquilibriumMap> map_;
  std::unique_ptr<EquilibriumObjective> exact_;
  double features_norm2_ = 0.0;  // s ‖Φ‖²_F
  double targets_norm2_ = 0.0;   // s ‖Y‖²_F
};

}  // namespace poise
