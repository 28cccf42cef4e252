#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "poise/base/random.hpp"
#include "poise/graph_solve/graph_equilibrium.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/petsc/vec.hpp"
#include "support/given_options.hpp"
#include "support/problems.hpp"

namespace poise {

using Block = std::vector<double>;

/// A whole graph, the same on every rank.
struct WholeGraph {
  Index nodes = 0;
  std::set<std::pair<Index, Index>> entries = {};  ///< row, neighbour
  bool directed = false;

  /// Some edges of a hash, the last node without any.
  static WholeGraph random(Index nodes, double share, bool directed = false) {
    WholeGraph graph{.nodes = nodes, .directed = directed};
    const CounterRandom random(5, Stream::probe);
    for (Index i = 0; i + 1 < nodes; ++i)
      for (Index j = 0; j + 1 < nodes; ++j)
        if (i != j && random.uniform(directed ? i : std::min(i, j), directed ? j : std::max(i, j)) < share)
          graph.entries.insert({i, j});
    return graph;
  }
  /// The graph with node i under the number order[i].
  [[nodiscard]] WholeGraph renumbered(const std::vector<Index>& order) const {
    WholeGraph graph{.nodes = nodes, .directed = directed};
    for (const auto& [i, j] : entries) graph.entries.insert({order[i], order[j]});
    return graph;
  }
  [[nodiscard]] GraphRows rows(Range own) const {
    GraphRows part{.nodes = nodes, .own = own, .directed = directed};
    for (Index i = own.begin; i < own.end; ++i) {
      for (auto entry = entries.lower_bound({i, 0}); entry != entries.end() && entry->first == i; ++entry)
        part.neighbours.push_back(entry->second);
      part.starts.push_back(static_cast<Index>(part.neighbours.size()));
    }
    return part;
  }
};

/// A pointwise model on a graph, with the coupled equilibrium and its adjoint.
struct GraphOnGrid {
  struct Case {
    Pointwise::Shape shape = {.activation = Activation::tanh, .gamma = 0.9};
    Normalisation normalisation = Normalisation::symmetric;
    Index m = 5;
    double rtol = 1e-12;
    double scale = 1.0;  ///< of A
    Index hops = 1;
  };
  GraphOnGrid(int feature_ranks, const WholeGraph& graph, const Case& c, MPI_Comm comm = MPI_COMM_WORLD)
      : grid(comm, feature_ranks),
        layout(grid, c.m, 2, Pointwise::blocks(c.shape, c.m)),
        map(layout, c.shape),
        theta(layout.create()),
        matrix(grid, graph.rows(grid.samples(graph.nodes)), c.normalisation, layout.block().size(), c.hops),
        equation(grid, map, matrix),
        perron(c.shape.weights == WeightKind::softmax
                   ? std::make_shared<PerronVector>(map.pointwise_form()->weights, c.shape.gamma)
                   : nullptr),
        equilibrium(equation, perron, c.rtol),
        adjoint(equation, perron, c.rtol) {
    layout.initialise(theta.get(), 3, c.scale, 1.0);
    set_parameters();
  }
  void set_parameters() {
    map.set_parameters(theta.get());
    if (perron) perron->invalidate();
  }
  /// Standard normal numbers; `order`: the number of each node in the random numbers.
  [[nodiscard]] Block random(std::uint64_t seed, const std::vector<Index>& order = {}) const {
    const CounterRandom numbers(seed, Stream::synthetic_inputs);
    Block block;
    for (Index n = matrix.own().begin; n < matrix.own().end; ++n)
      for (Index i = layout.block().begin; i < layout.block().end; ++i)
        block.push_back(numbers.normal(order.empty() ? n : order[n], i));
    return block;
  }
  [[nodiscard]] Block empty() const { return Block(static_cast<std::size_t>(equation.local_size())); }

  Outcome solve(const Block& injection) {
    z = injection;
    slopes.resize(static_cast<std::size_t>(map.slope_rows() * equation.local_nodes()));
    return equilibrium.solve(injection.data(), z.data(), slopes.data());
  }
  [[nodiscard]] double dot(const Block& a, const Block& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, grid.world());
    return sum;
  }
  /// The whole block, m x n, on every rank.
  [[nodiscard]] Block whole(const Block& block) const {
    Block all(static_cast<std::size_t>(layout.width() * matrix.nodes()), 0.0);
    const Index rows = layout.block().size();
    for (Index n = 0; n < matrix.local_nodes(); ++n)
      for (Index i = 0; i < rows; ++i)
        all[(matrix.own().begin + n) * layout.width() + layout.block().begin + i] = block[n * rows + i];
    MPI_Allreduce(MPI_IN_PLACE, all.data(), static_cast<int>(all.size()), MPI_DOUBLE, MPI_SUM, grid.world());
    return all;
  }

  ProcessGrid grid;
  ParameterLayout layout;
  Pointwise map;
  VecHandle theta;
  GraphMatrix matrix;
  GraphEquation equation;
  std::shared_ptr<PerronVector> perron;
  GraphEquilibrium equilibrium;
  GraphAdjoint adjoint;
  Block z, slopes;
};

inline double largest_difference(const Block& a, const Block& b) {
  double largest = a.size() == b.size() ? 0.0 : 1e300;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace poise
