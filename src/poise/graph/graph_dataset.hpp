#pragma once

#include <mpi.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "poise/graph/graph_rows.hpp"
#include "poise/io/dataset.hpp"

namespace poise {
inline namespace graph {

/// The sets of nodes that a split has, in the order of the names below.
enum class NodeSet : std::size_t { train, validation, test };
inline constexpr std::array<const char*, 3> node_set_names{"train", "validation", "test"};

/// The header of a graph file. Of DatasetInfo, `samples` are the nodes; there are no validation and test
/// samples, but masks.
struct GraphInfo : DatasetInfo {
  Index nodes = 0;
  Index entries = 0;  ///< of /graph/indices: an undirected edge has two
  bool directed = false, weighted = false;
  Index splits = 1;                ///< rows of the masks; 1 if they have one dimension, or if there are none
  std::array<bool, 3> has_mask{};  ///< by NodeSet
};

/// Which nodes belong to which set: 1 or 0 for every node that was asked for. All 0 if the file has no such
/// mask.
using NodeMasks = std::array<std::vector<std::uint8_t>, 3>;  // by NodeSet

/// Reader of graph files (data/README.md, "Graphs"): /graph/indptr [nodes + 1] and /graph/indices [entries],
/// row i lists the neighbours of node i; optional /graph/weights [entries]; /features [nodes, d]; optional
/// /labels [nodes] or /targets [nodes, q]; optional /masks/train, /masks/validation, /masks/test [splits,
/// nodes] or [nodes]. Ranks read only their own nodes. Every method is Collective on the communicator, and
/// throws bad_input, the same on every rank, that names file, data set, the first bad node over all ranks,
/// cause and cure.
class GraphDataset {
 public:
  /// Collective on `comm`, which must outlive this object. Reads and validates only the header. Refuses more
  /// ranks than nodes.
  GraphDataset(MPI_Comm comm, const std::string& path);

  [[nodiscard]] const GraphInfo& info() const { return info_; }

  /// The rows of the nodes `own` of this rank, which may be none. Refuses row ends that do not ascend,
  /// neighbours that do not exist, are not ascending or are the node itself, and weights that are not
  /// positive. If the ranks together read all nodes, each a block behind that of the rank before, an edge of
  /// an undirected graph without its other direction is refused, too.
  [[nodiscard]] GraphRows read_rows(Range own) const;
  /// The same for own_nodes.
  [[nodiscard]] GraphRows read_own_rows() const { return read_rows(own_nodes(comm_, info_.nodes)); }

  /// Features, and labels (-1: not known) or targets (NaN: not known) of the nodes `own`. There are no
  /// one-hot targets. Refuses features that are not finite.
  [[nodiscard]] SampleBlock read_nodes(Range own) const;

  /// The masks of a split, from 0, for the nodes `own`. Refuses a split that does not exist, a file without
  /// /masks/train, nodes in two sets, and nodes in a set whose label or target is not known; also a training
  /// set without nodes, if the ranks together read all nodes.
  [[nodiscard]] NodeMasks read_masks(Index split, Range own) const;
  /// One of them.
  [[nodiscard]] std::vector<std::uint8_t> read_mask(NodeSet set, Index split, Range own) const {
    return read_masks(split, own)[static_cast<std::size_t>(set)];
  }

 private:
  void require_nodes(Range own) const;
  void read_starts(const H5File& file, GraphRows& rows) const;
  void read_neighbours(const H5File& file, GraphRows& rows) const;
  void require_both_directions(const GraphRows& rows) const;
  [[nodiscard]] std::vector<std::uint8_t> read_set(const H5File& file, NodeSet set, Index split,
                                                   Range own) const;
  void require_answers(const NodeMasks& masks, const SampleBlock& nodes) const;

  MPI_Comm comm_;
  Dataset nodes_;
  GraphInfo info_;
};

}  // namespace graph
}  // namespace poise
