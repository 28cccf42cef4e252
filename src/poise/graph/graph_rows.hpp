#pragma once

#include <mpi.h>

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace graph {

/// The part of a graph that a rank owns: the rows of its adjacency matrix for the nodes of `own`. An
/// undirected graph has every edge in both rows. No row has the node itself, or a neighbour twice.
struct GraphRows {
  Index nodes = 0;               ///< of the whole graph
  Range own = {};                ///< the nodes of this rank; the ranks own contiguous blocks in their order
  std::vector<Index> starts{0};  ///< own.size() + 1: row i is [starts[i], starts[i + 1]) of `neighbours`
  std::vector<Index> neighbours{};  ///< numbers in the whole graph, ascending in each row
  std::vector<double> weights{};    ///< positive, one a neighbour; empty: all are 1
  bool directed = false;

  /// Entries of this rank.
  [[nodiscard]] Index entries() const { return static_cast<Index>(neighbours.size()); }
};

/// Not collective. The nodes of this rank, as ProcessGrid::samples splits samples.
[[nodiscard]] inline Range own_nodes(MPI_Comm comm, Index nodes) {
  return own_block(comm, nodes);
}

/// What the degrees of a graph are; the same on every rank.
struct GraphStatistics {
  Index nodes = 0, entries = 0;
  Index smallest_degree = 0, largest_degree = 0;
  Index isolated = 0;    ///< nodes without a neighbour (directed: whose row is empty)
  Index components = 0;  ///< parts without an edge between them, whatever its direction
};

/// Collective. Counts components by one number for every node of the graph on every rank.
[[nodiscard]] GraphStatistics statistics_of(MPI_Comm comm, const GraphRows& rows);

}  // namespace graph
}  // namespace poise
