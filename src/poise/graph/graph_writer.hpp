#pragma once

#include <mpi.h>

#include <vector>

#include "poise/graph/graph_dataset.hpp"
#include "poise/io/dataset_writer.hpp"

namespace poise {
inline namespace graph {

/// Writes a graph file under a temporary name, which `commit` replaces by its own, so that a program that
/// fails leaves no half-written file.
class GraphWriter {
 public:
  /// Collective on `comm`. `info` has path, name, source, licence, inputs, outputs, kind of answers, type of
  /// the features and names, as DatasetWriter wants them; nodes, `directed` and `weighted` are those of
  /// `rows`, of which every rank passes its own. Writes the graph. Throws bad_input if the file cannot be
  /// created.
  GraphWriter(MPI_Comm comm, GraphInfo info, const GraphRows& rows);

  /// Collective. Every rank passes nodes of any rank, which may be none (then `begin` may be unset), with
  /// labels (-1: not known) or targets.
  void write_nodes(const SampleBlock& block) { nodes_.write_train(block); }
  /// Collective. `splits` rows of 0 and 1 for the nodes of this rank (own_nodes), row-major.
  void write_mask(NodeSet set, Index splits, const std::vector<std::uint8_t>& own);
  /// Collective. Flushes to disk and gives the file its name, replacing an older file.
  void commit() { nodes_.commit(); }

  /// With the entries that were counted.
  [[nodiscard]] const GraphInfo& info() const { return info_; }

 private:
  void write_rows(const GraphRows& rows, Index first);
  MPI_Comm comm_;
  GraphInfo info_;
  Range own_;
  DatasetWriter nodes_;
};

}  // namespace graph
}  // namespace poise
