#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

#include "poise/graph/graph_rows.hpp"

namespace poise {
inline namespace graph {

// Undirected graphs without weights. Each function is Collective, returns the rows of this rank, and is a
// pure function of its arguments: the graph is the same on any number of ranks, some of which may own no
// node. Throws bad_input, the same on every rank, for sizes that make no graph.

/// `count` chains of `length` nodes: node i of chain c is node c·length + i, with the neighbours before and
/// after it.
[[nodiscard]] GraphRows chains(MPI_Comm comm, Index count, Index length);

/// A grid: node (r, c) is node r·columns + c, with at most four neighbours.
[[nodiscard]] GraphRows grid(MPI_Comm comm, Index rows, Index columns);

/// An R-MAT graph (Chakrabarti, Zhan, Faloutsos 2004) with the probabilities 0.57, 0.19, 0.19, 0.05 of
/// Graph500: few nodes have very many neighbours. `drawn` edges are drawn; doubles and self-loops are
/// removed, so the graph has fewer. Nodes are numbered in a random order. Memory: the rows of this rank, with
/// 8 bytes for each neighbour, and twice as much while they grow.
[[nodiscard]] GraphRows rmat(MPI_Comm comm, Index nodes, Index drawn, std::uint64_t seed);

/// Blocks of nodes with more edges inside than between: every pair of nodes has an edge with one of two
/// probabilities.
struct BlockModel {
  Index nodes = 0, blocks = 0;
  double inside = 0.0, between = 0.0;  ///< expected neighbours of a node in its block, and in all others
  std::uint64_t seed = 0;
};

/// The block of a node; blocks are contiguous, and their sizes differ by at most one.
[[nodiscard]] Index block_of(Index node, Index nodes, Index blocks);

[[nodiscard]] GraphRows stochastic_blocks(MPI_Comm comm, const BlockModel& model);

/// An edge between two nodes if one is among the `neighbours` nearest of the other, by the Euclidean distance
/// of their features; of nodes at the same distance, those with smaller numbers. `features`: inputs x own
/// nodes (own_nodes), column-major. Compares all pairs; memory: the features, and tiles of 256 nodes.
[[nodiscard]] GraphRows nearest_neighbours(MPI_Comm comm, const std::vector<double>& features, Index inputs,
                                           Index nodes, Index neighbours);

}  // namespace graph
}  // namespace poise
