#pragma once

#include <memory>

#include "poise/model/pointwise.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/run/experiment.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise_spectrum/settings.hpp"
#include "poise_spectrum/table.hpp"

namespace poise::spectrum {

/// The sections of the report on one checkpoint.
class Sections {
 public:
  /// Collective. `experiment` holds the checkpoint's θ; all must outlive it. Makes every solver that has
  /// options, or shows PETSc their names. Throws bad_input.
  Sections(Experiment& experiment, const TrainSettings& run, const SpectrumSettings& settings, Table& table);
  Sections(const Sections&) = delete;  // its parts point at one another
  Sections& operator=(const Sections&) = delete;

  /// Collective. All sections that the model has.
  void report();

 private:
  /// Whether the model is an equilibrium z = a(Wz + u) with recurrent weights W.
  [[nodiscard]] bool has_weights() const {
    return run_.network.has_equilibrium_model() && run_.network.is_pointwise();
  }
  // Each is a section, in a file of its own.
  void weights();
  void shifted_weights();
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

  Experiment& experiment_;
  const TrainSettings& run_;
  const SpectrumSettings& settings_;
  Table& table_;
  Pointwise::Shape shape_;
  RowBlockMatrix weights_;  // W over the world
  std::unique_ptr<Pointwise> map_;
  std::unique_ptr<CollapsedModel> collapsed_;  // with the two below: softmax-linear alone
  std::unique_ptr<DynamicsMatrix> dynamics_;
  std::unique_ptr<SmallestEigensolver> smallest_;
  double frobenius_ = 0.0, radius_ = 0.0, range_radius_ = 0.0, largest_of_u_ = 0.0;
};

}  // namespace poise::spectrum
