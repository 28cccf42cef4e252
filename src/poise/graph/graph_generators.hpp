#pragma once

#include <mpi.h>

#include <cstdint>

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

}  // namespace graph
}  // namespace poise
