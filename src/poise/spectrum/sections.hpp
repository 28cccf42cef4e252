#pragma once

#include <memory>
#include <optional>
#include <string>

#include "poise/base/options.hpp"
#include "poise/graph_solve/graph_objective.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/run/experiment.hpp"
#include "poise/spectrum/table.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"

namespace poise::spectrum {

/// The options of poise-spectrum beside the options of the run.
struct SpectrumSettings {
  Index count = 6, samples = 8, angles = 48, points = 16, power = 64, dense_limit = 1024;
  bool count_given = false;
  std::string json;

  /// Declares and reads all these options. Throws bad_input.
  static SpectrumSettings from(Options& options);
};

/// The report on one checkpoint, section by section.
class Sections {
 public:
  /// Collective. `experiment` holds the checkpoint's θ; all must outlive it. Makes every solver that has
  /// options, or shows PETSc their names. Throws bad_input.
  Sections(Experiment& experiment, const TrainSettings& run, const SpectrumSettings& settings, Table& table);
  Sections(const Sections&) = delete;  // its parts point at one another
  Sections& operator=(const Sections&) = delete;

  /// Collective. Adds all sections to the table. A section that does not apply to the model says so.
  void report();

 private:
  /// Whether the model is an equilibrium z = a(Wz + u) with recurrent weights W.
  [[nodiscard]] bool has_weights() const {
    return run_.network.has_equilibrium_model() && run_.network.is_pointwise();
  }
  // One section each.
  void weights();
  void shifted_weights();
  void graph();
  void dynamics();
  void jacobians();
  void features();

  void consult_solvers();
  void eigenvalues();
  [[nodiscard]] std::vector<double> conditions_of(const Eigenvalues& found) const;
  void departure_from_normality();
  void iteration();
  void inverse_norm();
  [[nodiscard]] double norm_one() const;
  // Of a graph.
  void graph_eigenvalues();
  void graph_map(double graph_radius, std::optional<double> graph_share);
  void graph_jacobian();

  Experiment& experiment_;
  const TrainSettings& run_;
  const SpectrumSettings& settings_;
  Table& table_;
  Pointwise::Shape shape_;
  NodeObjective* nodes_ = nullptr;  // the objective of a graph; null without one
  RowBlockMatrix weights_;          // W over the world
  std::unique_ptr<Pointwise> map_;
  std::unique_ptr<CollapsedModel> collapsed_;  // this and the next two: only for softmax-linear
  std::unique_ptr<DynamicsMatrix> dynamics_;
  std::unique_ptr<SmallestEigensolver> smallest_;
  double frobenius_ = 0.0, radius_ = 0.0, range_radius_ = 0.0, largest_of_u_ = 0.0;
  std::optional<double> normal_share_;  // Σ|λ(W)|²/‖W‖_F², where all eigenvalues are known
};

}  // namespace poise::spectrum
