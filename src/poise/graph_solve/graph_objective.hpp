#pragma once

#include <memory>
#include <vector>

#include "poise/graph_solve/dropout.hpp"
#include "poise/graph_solve/graph_equilibrium.hpp"
#include "poise/objective/sample_objective.hpp"
#include "poise/petsc/vec_state.hpp"

namespace poise {
inline namespace graph_solve {

/// Loss and gradient of the labelled nodes of a graph, f_n = B z_n, or B z_n/‖z_n‖₂ (`normalise`). All nodes
/// have features and states; the samples of the problem are the labelled nodes (SampleSet::nodes), also in a
/// minibatch, which only takes some of the labels. Test and validation nodes are scored by the same states. A
/// subclass finds the states of all nodes and propagates ∂L/∂Z back. An evaluation with a step (Batch::step)
/// is the loss of the network with dropout and its exact gradient; scores are without dropout.
class NodeObjective : public SampleObjective {
 public:
  void forget() override;
  /// Collective on the world. Of every own node: the residual of its equation at `states`, relative to the
  /// largest state; 0 if the states are no equilibrium.
  [[nodiscard]] virtual std::vector<double> residuals() const {
    return std::vector<double>(static_cast<std::size_t>(equation_.local_nodes()), 0.0);
  }

  [[nodiscard]] const GraphEquation& equation() const { return equation_; }
  /// z of the last evaluation, m_f x n_r.
  [[nodiscard]] const std::vector<double>& states() const { return z_; }
  /// Of the last evaluation: φ through the map's input weights, m_f x n_r.
  [[nodiscard]] const std::vector<double>& injection() const { return injection_; }

 protected:
  /// Collective on the world. `features`: φ of the own nodes, d_f x n_r, column-major. `layout`, `map`,
  /// `matrix` and `problem` must outlive it. `normalise`: -normalise_states. `keeps_map`: whether the map may
  /// remember earlier parameters.
  NodeObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                std::vector<double> features, const Problem& problem, bool normalise, const Dropout& dropout,
                bool keeps_map);
  /// Collective on the world. Computes `states` from `injection` at the map's parameters.
  virtual Outcome find_states(std::vector<double>& states) = 0;
  /// Collective on the world. Adds the gradient to the gradient of the map. `cotangent`: ∂L/∂Z.
  virtual Outcome add_gradient(const std::vector<double>& cotangent) = 0;

  [[nodiscard]] EquilibriumMap& map() { return map_; }
  [[nodiscard]] GraphEquation& own_equation() { return equation_; }
  /// Of the last evaluation, with its dropout.
  [[nodiscard]] const std::vector<double>& features() const {
    return features_of_ < 0 ? features_ : dropped_;
  }

 private:
  void load_network(Vec theta) override;
  void clear_network_gradient() override;
  void write_network_gradient(Vec gradient) override;
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;
  void differentiate_norm(Panel& panel);
  void drop_features(Index step);
  void drop_states(Panel& panel);
  void end_pass(Evaluation& result) override;

  EquilibriumMap& map_;
  GraphEquation equation_;
  std::vector<double> features_, dropped_, injection_, z_, cotangent_;
  bool normalise_, keeps_map_;
  Dropout dropout_;
  Index features_of_ = -1;       ///< the step whose dropout features() have; negative: none
  std::vector<double> norms_;    ///< with `normalise_`: ‖z‖₂ of the panel's nodes
  std::vector<double> factors_;  ///< of the panel's states by dropout; empty: 1
  Outcome forward_, backward_;
  VecState solved_for_;
};

/// The states are the equilibrium Z = h(ZS), THEORY.md 8.1 and 8.3: an evaluation solves one equilibrium and
/// one adjoint over the nodes of all ranks.
class GraphObjective final : public NodeObjective {
 public:
  struct Settings {
    double rtol = 1e-12;      ///< default of -eq_snes_rtol and -adj_ksp_rtol
    bool warm_start = false;  ///< solves start from the solution before (-warm_start)
    bool normalise = false;   ///< the readout sees z/‖z‖₂ (-normalise_states)
    Dropout dropout = {};
  };
  /// Collective on the world; see NodeObjective.
  GraphObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                 std::vector<double> features, const Problem& problem, const Settings& settings);
  void forget() override;
  [[nodiscard]] std::vector<double> residuals() const override;
  /// The relative tolerance of the equilibrium.
  [[nodiscard]] double rtol() const { return equilibrium_.rtol(); }
  /// The type of the equilibrium's SNES.
  [[nodiscard]] std::string solver() const;

 private:
  Outcome find_states(std::vector<double>& states) override;
  Outcome add_gradient(const std::vector<double>& cotangent) override;

  Settings settings_;
  std::shared_ptr<PerronVector> perron_;
  GraphEquilibrium equilibrium_;
  GraphAdjoint adjoint_;
  std::vector<double> slopes_, lambda_;
  bool warm_states_ = false, warm_adjoint_ = false;
};

/// The states are those after `depth` layers Z ← h(ZS), from Z = 0 on; the gradient is exact. What is further
/// away than `depth` edges does not reach a node. Keeps the states of all layers: depth m_f n_r numbers.
class UnrolledGraphObjective final : public NodeObjective {
 public:
  /// Collective on the world; see NodeObjective. Throws bad_input if the depth is below 1.
  UnrolledGraphObjective(const ParameterLayout& layout, EquilibriumMap& map, const GraphMatrix& matrix,
                         std::vector<double> features, const Problem& problem, Index depth,
                         bool normalise = false, const Dropout& dropout = {});

 private:
  Outcome find_states(std::vector<double>& states) override;
  Outcome add_gradient(const std::vector<double>& cotangent) override;

  std::vector<std::vector<double>> layers_;  ///< Z after 0, 1, …, depth - 1 layers
  std::vector<double> slopes_, lambda_, next_;
};

}  // namespace graph_solve
}  // namespace poise
