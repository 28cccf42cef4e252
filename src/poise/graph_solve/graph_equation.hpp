#pragma once

#include <vector>

#include "poise/graph_solve/graph_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"

namespace poise {
inline namespace graph_solve {

/// The equilibrium equation of a graph, THEORY.md 8.1: Z = h(ZS; x, θ), where h is any EquilibriumMap and
/// acts on every node by itself; with a pointwise map Z = a(W Z S + Φ). One equation for the nodes of all
/// ranks. Blocks are m_f x n_r, column-major, one column a node of this rank. All methods are collective on
/// the world, unless they say otherwise.
class GraphEquation {
 public:
  /// `grid`, `map` and `matrix` must outlive it.
  GraphEquation(const ProcessGrid& grid, EquilibriumMap& map, const GraphMatrix& matrix);

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] const EquilibriumMap& map() const { return map_; }
  [[nodiscard]] const GraphMatrix& matrix() const { return matrix_; }
  [[nodiscard]] Index states() const { return matrix_.states(); }
  [[nodiscard]] Index local_nodes() const { return matrix_.local_nodes(); }
  /// Numbers of a block on this rank.
  [[nodiscard]] Index local_size() const { return states() * local_nodes(); }

  /// H = h(ZS) with the injection U = map().inject(features).
  void apply(const double* z, const double* injection, double* h) const;
  /// The slopes at Z, where h = h(ZS): slope_rows x n_r.
  void linearise(const double* z, const double* h, double* slopes) const;
  /// out = (∂H/∂Z) V.
  void jacobian(const double* slopes, const double* v, double* out) const;
  /// out = (∂H/∂Z)ᵀ V, THEORY.md 8.3.
  void jacobian_transpose(const double* slopes, const double* v, double* out) const;
  /// Adds (∂H/∂θ)ᵀ Λ at Z to the gradient of the map.
  void add_gradient(const double* slopes, const double* z, const double* features, const double* lambda);

  /// The largest 2-norm of a column over the nodes of all ranks, with its node; a NaN counts as infinite.
  struct Worst {
    double norm = 0.0;
    Index node = -1;
  };
  [[nodiscard]] Worst worst(const double* block) const;
  /// The 2-norm of a block.
  [[nodiscard]] double norm(const double* block) const;
  /// "node 17, which has 3 neighbours", on every rank.
  [[nodiscard]] std::string describe(Index node) const;

 private:
  const ProcessGrid& grid_;
  EquilibriumMap& map_;
  const GraphMatrix& matrix_;
  mutable std::vector<double> work_, norms_;
};

}  // namespace graph_solve
}  // namespace poise
