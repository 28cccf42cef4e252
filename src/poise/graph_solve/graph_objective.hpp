#pragma once

#include <memory>
#include <vector>

#include "poise/graph_solve/graph_equilibrium.hpp"
#include "poise/objective/sample_objective.hpp"
#include "poise/petsc/vec_state.hpp"

namespace poise {
inline namespace graph_solve {

/// Loss and gradient of the labelled nodes of a graph, f_n = B z_n with Z = h(ZS), THEORY.md 8.1 and 8.3. All
/// nodes have features and states; the samples of the problem are the labelled nodes (SampleSet::nodes). An
/// evaluation solves one equilibrium and one adjoint over the nodes of all ranks, also for a minibatch, which
/// only takes some of the labels. Test and validation nodes are scored by the states of the same equilibrium.
class GraphObjective final : public SampleObjective {
 public:
  struct Settings {
    double rtol = 1e-12;      ///< default of -eq_snes_rtol and -adj_ksp_rtol
    bool warm_start = false;  ///< solves start from the solution before (-warm_start)
  };
  /// Collective on the world. `features`: φ of the own nodes, d_f x n_r, column-major. `layout`, `map`,
  /// `matrix` and `problem` must outlive it.
  GraphObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                 std::vector<double> features, const Problem& problem, const Settings& settings);
  void forget() override;
  /// Throws failure: a node has no output apart from the graph. `states` has the states of all nodes.
  void predict(Index count, const double* features, Prediction& prediction) override;

  [[nodiscard]] const GraphEquation& equation() const { return equation_; }
  /// z of the last evaluation, m_f x n_r.
  [[nodiscard]] const std::vector<double>& states() const { return z_; }
  /// Of the last evaluation: φ through the map's input weights, m_f x n_r.
  [[nodiscard]] const std::vector<double>& injection() const { return injection_; }

 private:
  void load_network(Vec theta) override;
  void clear_network_gradient() override;
  void write_network_gradient(Vec gradient) override;
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;
  void end_pass(Evaluation& result) override;

  EquilibriumMap& map_;
  Settings settings_;
  GraphEquation equation_;
  std::shared_ptr<PerronVector> perron_;
  GraphEquilibrium equilibrium_;
  GraphAdjoint adjoint_;
  std::vector<double> features_, injection_, z_, slopes_, cotangent_, lambda_;
  Outcome forward_, backward_;
  VecState solved_for_;
  bool warm_states_ = false, warm_adjoint_ = false;
};

}  // namespace graph_solve
}  // namespace poise
