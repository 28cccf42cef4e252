#pragma once

#include <memory>
#include <string>

#include "poise/graph_solve/graph_objective.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/run/sample_source.hpp"
#include "poise/run/settings.hpp"

namespace poise {
inline namespace run {

/// Collective on the world. The objective of -objective as a sum over the samples of `problem`; for
/// collapsed, which is no such sum, that of equilibrium, which has the same loss and gradient. `map`: of the
/// equilibrium model; not used where there is none. `equilibrium`: for equilibria alone. All references must
/// outlive the result. Throws bad_input.
[[nodiscard]] std::unique_ptr<Objective> make_sample_objective(const NetworkSettings& settings,
                                                               const ParameterLayout& layout,
                                                               EquilibriumMap* map, const Problem& problem,
                                                               Index features,
                                                               const EquilibriumSettings& equilibrium);

/// Collective on the world. The objective of -model graph: `problem` has labelled nodes of the graph. `seed`:
/// of the dropout. All references must outlive the result.
[[nodiscard]] std::unique_ptr<NodeObjective> make_graph_objective(
    const NetworkSettings& settings, const ParameterLayout& layout, EquilibriumMap& map,
    const GraphMatrix& matrix, const GraphNodes& nodes, const Problem& problem, std::uint64_t seed);

/// What is trained: parameters, model and objective, built from the options.
class Network {
 public:
  /// Collective on the world. `grid` and `problem` must outlive it. `features`: their number, with the
  /// constant. `graph`: with -model graph. Throws bad_input.
  Network(const ProcessGrid& grid, const TrainSettings& settings, const Problem& problem, Index features,
          const GraphNodes* graph = nullptr);

  [[nodiscard]] const ParameterLayout& layout() const { return layout_; }
  [[nodiscard]] Objective& objective() { return *objective_; }
  /// The collapsed model and its loss; null where neither the objective nor the audit needs them.
  [[nodiscard]] CollapsedModel* collapsed() { return collapsed_.get(); }
  [[nodiscard]] ShallowLoss* shallow_loss() { return shallow_loss_.get(); }
  /// The objective by exact equilibria and adjoints, to compare gradients with; null without
  /// -gradient_check.
  [[nodiscard]] Objective* reference() { return reference_.get(); }

  /// "exact", or how the gradient differs from the exact one.
  [[nodiscard]] std::string gradient_label() const;
  /// The objective, if it solves for equilibria; else null.
  [[nodiscard]] const EquilibriumObjective* equilibrium() const { return equilibrium_; }
  /// Whether solves can fail, and so fall back.
  [[nodiscard]] bool solves_equilibria() const { return equilibrium_ != nullptr; }
  /// Whether evaluations remember states for later ones: the same on all ranks, also on one without samples.
  [[nodiscard]] bool remembers() const { return settings_.solves_equilibria() && settings_.warm_start; }
  /// The matrix S of the graph; null if the samples are no nodes of a graph.
  [[nodiscard]] const GraphMatrix* graph_matrix() const { return graph_matrix_.get(); }
  /// Collective on the world. Bytes of what they remember, the largest of all ranks.
  [[nodiscard]] double warm_bytes() const;
  /// Collective on the world. What is known at θ of the equilibria; norm "" without an equilibrium model.
  [[nodiscard]] Certificate certificate(Vec theta);

 private:
  [[nodiscard]] std::unique_ptr<Objective> on_graph(const Problem& problem, const GraphNodes& graph,
                                                    std::uint64_t seed);

  NetworkSettings settings_;
  ParameterLayout layout_;
  std::unique_ptr<EquilibriumMap> map_;
  std::unique_ptr<GraphMatrix> graph_matrix_;
  std::unique_ptr<CollapsedModel> collapsed_;
  std::unique_ptr<ShallowLoss> shallow_loss_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<EquilibriumObjective> reference_;
  const EquilibriumObjective* equilibrium_ = nullptr;  // the objective, if it is one
};

}  // namespace run
}  // namespace poise
