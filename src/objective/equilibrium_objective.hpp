#pragma once

#include <memory>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "poise/objective/sample_set.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise {

/// Loss and gradient by solving for the equilibrium and the adjoint of every sample (theory.md 3.2): works
/// for every EquilibriumMap. Samples go through in panels of columns (option -eq_panel) whose Krylov basis
/// stays in cache.
/// `-objective equilibrium`.
class EquilibriumObjective final : public Objective {
 public:
  /// Collective on the world. `layout`, `map` and `problem` must outlive it. `panel`: most columns solved at
  /// once. `rtol`: default of -eq_snes_rtol, and of -adj_ksp_rtol unless that is given.
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       Index panel, double rtol = 1e-12);
  /// Samples a panel whose Krylov basis stays in cache, for blocks of `rows` rows.
  [[nodiscard]] static Index default_panel(Index rows);
  Evaluation value_and_gradient(Vec theta, Vec gradient) override;
  Score test(Vec theta) override;

 private:
  /// Solvers and work blocks for one width of panels; `count` samples are cut into equal panels, the last
  /// ones padded by at most one column of zeros.
  struct Panels {
    Index count = 0, number = 0, columns = 0;
    std::unique_ptr<EquilibriumSolver> equilibrium;
    std::unique_ptr<AdjointSolver> adjoint;
    std::vector<double> injection, z, rhs, lambda, outputs;
  };
  Panels make_panels(const SampleSet& samples, Index panel, double rtol, bool with_adjoint);
  void load_parameters(Vec theta);
  /// Solves the samples `range` of this rank and leaves f = Bz in panels.outputs.
  void forward(Panels& panels, const SampleSet& samples, Range range, Outcome& outcome);
  /// Their adjoints, from ∇ℓ in panels.outputs, and their part of the gradient.
  void backward(Panels& panels, const SampleSet& samples, Range range, Outcome& outcome);
  /// Collective on the world. All samples; throws failure on all ranks if a solve failed on any.
  Score pass(Panels& panels, const SampleSet& samples, bool with_gradient, Evaluation& result);
  void write_gradient(Vec gradient);

  const ParameterLayout& layout_;
  EquilibriumMap& map_;
  const Problem& problem_;
  Panels train_, test_;
  std::vector<double> readout_;           // Bᵀ of the row block as q x m_f, column-major: B itself
  std::vector<double> readout_gradient_;  // the same shape
};

}  // namespace poise
