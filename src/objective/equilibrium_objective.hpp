#pragma once

#include <memory>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/objective/sample_objective.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise {

/// Loss and gradient by solving for the equilibrium and the adjoint of every sample (theory.md 3.2): works
/// for every EquilibriumMap. Samples go through in panels of columns (option -eq_panel) whose Krylov basis
/// stays in cache. `-objective equilibrium`.
class EquilibriumObjective final : public SampleObjective {
 public:
  /// Collective on the world. `layout`, `map` and `problem` must outlive it. `panel`: most columns solved at
  /// once. `rtol`: default of -eq_snes_rtol, and of -adj_ksp_rtol unless that is given.
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       Index panel, double rtol = 1e-12);
  /// Samples a panel whose Krylov basis stays in cache, for blocks of `rows` rows.
  [[nodiscard]] static Index default_panel(Index rows);

  /// Columns multiplied by matrices of the solvers' own, beside the map's count.
  [[nodiscard]] Index columns_multiplied() const { return equilibrium_->columns_multiplied(); }

 private:
  void load_network(Vec theta) override;
  void clear_network_gradient() override { map_.clear_gradient(); }
  void write_network_gradient(Vec gradient) override { map_.write_gradient(gradient); }
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;

  EquilibriumMap& map_;
  std::unique_ptr<EquilibriumSolver> equilibrium_;
  std::unique_ptr<AdjointSolver> adjoint_;
  std::vector<double> injection_, slopes_, lambda_;
};

}  // namespace poise
