#pragma once

#include <mpi.h>

#include <optional>
#include <utility>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/graph/graph_rows.hpp"

namespace poise {
inline namespace graph {

/// One entry of an adjacency matrix.
struct GraphEntry {
  Index row = 0, column = 0;
  double weight = 1.0;
};

/// Brings entries to the ranks that own their rows, in rounds, so that memory stays bounded.
class EntryExchange {
 public:
  /// Not collective. `offsets`: ranks + 1 numbers, rank r owns the rows [offsets[r], offsets[r + 1]).
  EntryExchange(MPI_Comm comm, std::vector<Index> offsets);

  /// How many entries a rank should send in a round.
  [[nodiscard]] Index round() const { return round_; }
  /// Collective: one round. Every rank passes entries of any rows and gets those of its own rows, ordered by
  /// the rank that sent them; the entries of one rank keep their order.
  [[nodiscard]] const std::vector<GraphEntry>& send(const std::vector<GraphEntry>& entries);

 private:
  [[nodiscard]] std::size_t owner(Index row) const;

  MPI_Comm comm_;
  std::vector<Index> offsets_;
  Index round_;
  std::vector<GraphEntry> sorted_, received_;
};

/// The offsets of own_nodes over the ranks of `comm`. Not collective.
[[nodiscard]] std::vector<Index> node_offsets(MPI_Comm comm, Index nodes);

/// Makes the rows of a graph from entries that any rank has, in any order.
class RowBuilder {
 public:
  /// Not collective. Throws failure if a rank would own more than 2^63 pairs of nodes. `weighted`: the rows
  /// have the weights of the entries, else these do not count.
  RowBuilder(MPI_Comm comm, Index nodes, bool weighted = false);

  /// How many entries a rank should pass to `add`.
  [[nodiscard]] Index round() const { return exchange_.round(); }
  /// Collective. Every rank passes its entries, which may be none.
  void add(const std::vector<GraphEntry>& entries);
  /// Collective. The rows without doubles and self-loops. To be called once.
  [[nodiscard]] GraphRows finish(bool directed);
  /// After `finish`, entries that were dropped, over all ranks.
  [[nodiscard]] Index doubles() const { return doubles_; }
  [[nodiscard]] Index self_loops() const { return self_loops_; }
  /// Not collective. After `finish`, the first entry of this rank's rows that came with different weights, of
  /// which the rows have the smallest; nothing if there is none.
  [[nodiscard]] const std::optional<GraphEntry>& conflict() const { return conflict_; }

 private:
  [[nodiscard]] std::vector<double> sort_weighted();

  MPI_Comm comm_;
  Index nodes_;
  Range own_;
  EntryExchange exchange_;
  bool weighted_;
  std::vector<Index> places_;                              // row in this rank x nodes + column
  std::vector<std::pair<Index, double>> weighted_places_;  // the same in place of them, if weights count
  std::optional<GraphEntry> conflict_;
  Index doubles_ = 0, self_loops_ = 0;
};

}  // namespace graph
}  // namespace poise
