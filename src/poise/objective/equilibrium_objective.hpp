#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/sample_objective.hpp"
#include "poise/objective/warm_start.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise {

struct EquilibriumSettings {
  Index panel = 0;      ///< most samples solved at once (-eq_panel); 0: EquilibriumObjective::default_panel
  double rtol = 1e-12;  ///< default of -eq_snes_rtol, and of -adj_ksp_rtol unless that is given
  bool warm_start =
      false;          ///< equilibria and adjoints start from earlier ones of the same samples (-warm_start)
  Index samples = 0;  ///< that a rank solves for at one set of parameters; 0: all of its training samples
  Backward backward = {};        ///< exact, or an inexact gradient
  double jacobian_weight = 0.0;  ///< of the penalty weight · s Σ_i ‖J_iᵀε_i‖²/m (-jacobian_weight)
  std::uint64_t seed = 0;        ///< of the probes ε_i
};

/// Loss and gradient by solving for the equilibrium and the adjoint of every sample (THEORY.md 3.2): works
/// for every EquilibriumMap. Samples go through in panels of columns whose working set stays in cache.
/// `-objective equilibrium`.
///
/// Jacobian regularisation (Bai, Koltun & Kolter 2021): the penalty estimates s Σ_i ‖∂h/∂z‖²_F/m by
/// Hutchinson's method with one fixed probe ε_i = ±1 a sample; its gradient is the total one, through the
/// equilibrium too. For pointwise models.
class EquilibriumObjective final : public SampleObjective {
 public:
  /// Collective on the world. `layout`, `map` and `problem` must outlive it.
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       const EquilibriumSettings& settings);
  EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem,
                       Index panel, double rtol = 1e-12)
      : EquilibriumObjective(layout, map, problem, EquilibriumSettings{.panel = panel, .rtol = rtol}) {}
  /// Samples a panel whose working set stays in cache, for blocks of `rows` rows; a Krylov basis takes more.
  [[nodiscard]] static Index default_panel(Index rows, bool krylov = false);
  void forget() override;

  /// "exact", or which inexact gradient this is: for the run file.
  [[nodiscard]] std::string gradient_label() const;
  /// Bytes on this rank that warm starts take.
  [[nodiscard]] double warm_bytes() const { return warm_ ? warm_->bytes() : 0.0; }
  /// Columns multiplied by matrices of the solvers' own, beside the map's count.
  [[nodiscard]] Index columns_multiplied() const { return equilibrium_->columns_multiplied(); }
  [[nodiscard]] const EquilibriumSolver& equilibrium() const { return *equilibrium_; }
  [[nodiscard]] const AdjointSolver& adjoint() const { return *adjoint_; }

 private:
  enum Block : std::size_t { states, adjoints };
  void load_network(Vec theta) override;
  void clear_network_gradient() override { map_.clear_gradient(); }
  void write_network_gradient(Vec gradient) override { map_.write_gradient(gradient); }
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;
  void begin_pass(Vec theta, const Batch& batch) override;
  void end_pass(Evaluation& result) override;
  static void merge(Outcome outcome, const Panel& panel, Outcome& into);
  void add_penalty(Panel& panel, Evaluation& result);

  EquilibriumMap& map_;
  EquilibriumSettings settings_;
  Pointwise* pointwise_ = nullptr;  // the map, where the penalty needs it
  std::unique_ptr<EquilibriumSolver> equilibrium_;
  std::unique_ptr<AdjointSolver> adjoint_;
  std::unique_ptr<WarmStart> warm_;
  std::vector<double> injection_, slopes_, lambda_, memory_;
  std::vector<double> probe_, image_, delta_;  // of the penalty
};

}  // namespace poise
