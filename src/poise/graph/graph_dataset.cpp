#include "poise/graph/graph_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/base/pieces.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_header.hpp"
#include "poise/io/defect.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace graph {
namespace {

std::string where_of(const GraphInfo& info, const std::string& data_set) {
  return "data file '" + info.path + "': " + data_set;
}

/// Collective. The offsets of the ranges if these are all nodes in the order of the ranks, else nothing.
std::vector<Index> offsets_of(MPI_Comm comm, Range own, Index nodes) {
  std::vector<Range> all(static_cast<std::size_t>(size_of(comm)));
  check_mpi(MPI_Allgather(&own, 2, MPI_INT64_T, all.data(), 2, MPI_INT64_T, comm));
  std::vector<Index> offsets{0};
  for (const Range& range : all) {
    if (range.begin != offsets.back()) return {};
    offsets.push_back(range.end);
  }
  return offsets.back() == nodes ? offsets : std::vector<Index>{};
}

/// The neighbours of a node of this rank: their places in `rows`.
Range row_of(const GraphRows& rows, Index node) {
  const auto row = static_cast<std::size_t>(node - rows.own.begin);
  return {rows.starts[row], rows.starts[row + 1]};
}

double weight_at(const GraphRows& rows, Index place) {
  return rows.weights.empty() ? 1.0 : rows.weights[static_cast<std::size_t>(place)];
}

/// Why a neighbour must not stand at this place of the row of a node; empty if it may.
std::string why_not(const GraphRows& rows, Index node, Index place) {
  const Index neighbour = rows.neighbours[static_cast<std::size_t>(place)];
  if (neighbour < 0 || neighbour >= rows.nodes)
    return fmt::format("has the neighbour {}, outside the nodes [0, {}); correct it", neighbour, rows.nodes);
  if (neighbour == node)
    return "is its own neighbour: leave self-loops out, models add what they need of them";
  if (place == row_of(rows, node).begin) return {};
  const Index before = rows.neighbours[static_cast<std::size_t>(place - 1)];
  if (neighbour == before) return fmt::format("has the neighbour {} twice: keep one", neighbour);
  if (neighbour < before)
    return fmt::format("has the neighbour {} behind {}: sort the neighbours of each node", neighbour, before);
  return {};
}

Defect find_bad_neighbour(const GraphInfo& info, const GraphRows& rows) {
  for (Index node = rows.own.begin; node < rows.own.end; ++node)
    for (Index place = row_of(rows, node).begin; place < row_of(rows, node).end; ++place)
      if (const std::string why = why_not(rows, node, place); !why.empty())
        return {node, fmt::format("{}: node {} {} (nodes count from 0)", where_of(info, neighbours_name),
                                  node, why)};
  return {};
}

Defect find_bad_weight(const GraphInfo& info, const GraphRows& rows) {
  for (Index node = rows.own.begin; node < rows.own.end; ++node)
    for (Index place = row_of(rows, node).begin; place < row_of(rows, node).end; ++place) {
      const double weight = weight_at(rows, place);
      if (weight > 0 && std::isfinite(weight)) continue;
      return {node, fmt::format("{}: node {} has the weight {} for the neighbour {}; weights are positive "
                                "numbers: correct it, or leave the edge out (nodes count from 0)",
                                where_of(info, weights_name), node, to_text(weight),
                                rows.neighbours[static_cast<std::size_t>(place)])};
    }
  return {};
}

/// What is wrong with an edge whose other direction should be in `rows`; empty if nothing.
std::string why_one_way(const GraphRows& rows, const GraphEntry& other) {
  const Range row = row_of(rows, other.row);
  const auto end = rows.neighbours.begin() + row.end;
  const auto found = std::lower_bound(rows.neighbours.begin() + row.begin, end, other.column);
  if (found == end || *found != other.column)
    return fmt::format("node {} has the neighbour {}, but node {} does not have the neighbour {}",
                       other.column, other.row, other.row, other.column);
  const double weight = weight_at(rows, found - rows.neighbours.begin());
  if (weight == other.weight) return {};
  return fmt::format("the edge of the nodes {} and {} has the weights {} and {}", other.column, other.row,
                     to_text(other.weight), to_text(weight));
}

}  // namespace

GraphDataset::GraphDataset(MPI_Comm comm, const std::string& path)
    : comm_(comm), nodes_(comm, path, Missing::keep_answers, Answers::optional, graph_schema) {
  info_ = read_graph_header(H5File::open(comm, path), nodes_.info());
  const int size = size_of(comm);
  agree(comm, [&] {
    if (size > info_.nodes)
      throw bad_input(fmt::format("data file '{}': a graph of {} is too small for {} ranks: use at most {}",
                                  path, plural(info_.nodes, "node"), size, info_.nodes));
  });
}

void GraphDataset::require_nodes(Range own) const {
  agree(comm_, [&] {
    if (own.begin < 0 || own.end < own.begin || own.end > info_.nodes)
      throw bad_input(fmt::format("data file '{}': nodes [{}, {}) asked of a graph that has {}", info_.path,
                                  own.begin, own.end, info_.nodes));
  });
}

GraphRows GraphDataset::read_rows(Range own) const {
  static const LogEvent event("GraphRead");
  const auto scope = event.begin();
  require_nodes(own);
  GraphRows rows{.nodes = info_.nodes, .own = own, .directed = info_.directed};
  const H5File file = H5File::open(comm_, info_.path);
  read_starts(file, rows);
  read_neighbours(file, rows);
  if (!info_.directed) require_both_directions(rows);
  return rows;
}

void GraphDataset::read_starts(const H5File& file, GraphRows& rows) const {
  std::vector<Index>& starts = rows.starts;
  agree(comm_, [&] { starts.resize(static_cast<std::size_t>(rows.own.size() + 1)); });
  file.read_rows(starts_name, {rows.own.begin, rows.own.end + 1}, starts);
  Defect defect;
  const auto refuse = [&](Index node, const std::string& why) {
    if (defect.row == Defect::none)
      defect = {node, fmt::format("{}: {} (entries count from 0)", where_of(info_, starts_name), why)};
  };
  if (rows.own.begin == 0 && starts.front() != 0)
    refuse(0, fmt::format("entry 0 is {}; it must be 0", starts.front()));
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const Index node = rows.own.begin + static_cast<Index>(i);
    if (starts[i + 1] < starts[i])
      refuse(node, fmt::format("entry {} is {}, below entry {}, {}: the row ends must not descend", node + 1,
                               starts[i + 1], node, starts[i]));
    if (starts[i + 1] > info_.entries || starts[i] < 0)
      refuse(node, fmt::format("the row of node {} ends at {}, but {} has {} entries", node, starts[i + 1],
                               neighbours_name, info_.entries));
  }
  if (rows.own.end == info_.nodes && starts.back() != info_.entries)
    refuse(info_.nodes, fmt::format("the last entry, {}, is {}; it must be {}, the number of entries of {}",
                                    info_.nodes, starts.back(), info_.entries, neighbours_name));
  throw_first(comm_, defect);
}

void GraphDataset::read_neighbours(const H5File& file, GraphRows& rows) const {
  const Range part{rows.starts.front(), rows.starts.back()};
  agree(comm_, [&] {
    rows.neighbours.resize(static_cast<std::size_t>(part.size()));
    if (info_.weighted) rows.weights.resize(static_cast<std::size_t>(part.size()));
  });
  for (Index& start : rows.starts) start -= part.begin;
  file.read_rows(neighbours_name, part, rows.neighbours);
  throw_first(comm_, find_bad_neighbour(info_, rows));
  if (!info_.weighted) return;
  file.read_rows(weights_name, part, rows.weights);
  throw_first(comm_, find_bad_weight(info_, rows));
}

void GraphDataset::require_both_directions(const GraphRows& rows) const {
  const std::vector<Index> offsets = offsets_of(comm_, rows.own, info_.nodes);
  if (offsets.empty()) return;
  EntryExchange exchange(comm_, offsets);
  std::vector<GraphEntry> others;
  Defect defect;
  Index node = rows.own.begin;
  for_pieces(comm_, {0, rows.entries()}, exchange.round(), [&](Range places) {
    others.clear();
    for (Index place = places.begin; place < places.end; ++place) {
      while (row_of(rows, node).end <= place) ++node;
      others.push_back({rows.neighbours[static_cast<std::size_t>(place)], node, weight_at(rows, place)});
    }
    for (const GraphEntry& other : exchange.send(others))
      if (other.column < defect.row)
        if (const std::string why = why_one_way(rows, other); !why.empty())
          defect = {other.column,
                    fmt::format("{}: {}: store both directions of an edge, or set the attribute "
                                "'directed' of /graph to 1 (nodes count from 0)",
                                where_of(info_, neighbours_name), why)};
  });
  throw_first(comm_, defect);
}

SampleBlock GraphDataset::read_nodes(Range own) const {
  SampleBlock block = nodes_.read_train(own);
  for (Index& label : block.labels)
    if (label == missing_label) label = -1;
  if (info_.classification) block.targets.clear();
  return block;
}

std::vector<std::uint8_t> GraphDataset::read_set(const H5File& file, NodeSet set, Index split,
                                                 Range own) const {
  const auto count = static_cast<std::size_t>(own.size());
  std::vector<std::uint8_t> mask;
  std::vector<double> stored;
  const bool exists = info_.has_mask[static_cast<std::size_t>(set)];
  const std::string name = mask_name(set);
  agree(comm_, [&] {
    mask.assign(count, 0);
    stored.resize(exists ? count * static_cast<std::size_t>(info_.splits) : 0);
  });
  if (!exists) return mask;
  if (file.shape(name).dims.size() == 1)
    file.read_rows(name, own, std::span(stored));
  else
    file.read_columns(name, own, stored);
  Defect defect;
  for (std::size_t i = 0; i < count && defect.row == Defect::none; ++i) {
    const double value = stored[static_cast<std::size_t>(split) * count + i];
    const Index node = own.begin + static_cast<Index>(i);
    if (value != 0.0 && value != 1.0)
      defect = {node,
                fmt::format("{}: split {} has {} for node {}; store 0 or 1 (splits and nodes count from "
                            "0)",
                            where_of(info_, name), split, to_text(value), node)};
    mask[i] = value == 1.0 ? 1 : 0;
  }
  throw_first(comm_, defect);
  return mask;
}

NodeMasks GraphDataset::read_masks(Index split, Range own) const {
  require_nodes(own);
  agree(comm_, [&] {
    if (!info_.has_mask[0])
      throw bad_input(where_of(info_, "has no data set /masks/train [splits, nodes], the training nodes"));
    if (split < 0 || split >= info_.splits)
      throw bad_input(fmt::format("data file '{}': split {} does not exist: it has {}, the first is split 0",
                                  info_.path, split, plural(info_.splits, "split")));
  });
  const H5File file = H5File::open(comm_, info_.path);
  NodeMasks masks;
  for (std::size_t set = 0; set < masks.size(); ++set)
    masks[set] = read_set(file, static_cast<NodeSet>(set), split, own);
  require_answers(masks, read_nodes(own));
  if (offsets_of(comm_, own, info_.nodes).empty()) return masks;
  Index trained = std::count(masks[0].begin(), masks[0].end(), 1);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &trained, 1, MPI_INT64_T, MPI_SUM, comm_));
  agree(comm_, [&] {
    if (trained == 0)
      throw bad_input(fmt::format("{}: split {} has no training node: mark at least one",
                                  where_of(info_, mask_name(NodeSet::train)), split));
  });
  return masks;
}

void GraphDataset::require_answers(const NodeMasks& masks, const SampleBlock& nodes) const {
  Defect defect;
  for (std::size_t i = 0; i < masks[0].size() && defect.row == Defect::none; ++i) {
    const Index node = nodes.begin + static_cast<Index>(i);
    const std::string of_node = fmt::format(" (node {}; nodes count from 0)", node);
    std::vector<std::string> sets;
    for (std::size_t set = 0; set < masks.size(); ++set)
      if (masks[set][i] == 1) sets.push_back(mask_name(static_cast<NodeSet>(set)));
    if (sets.size() > 1)
      defect = {node, where_of(info_, sets[0] + " and " + sets[1]) +
                          " overlap: a node belongs to one set of a split" + of_node};
    if (sets.size() != 1 || !info_.has_answers) continue;
    const auto first = static_cast<std::ptrdiff_t>(i) * info_.outputs;
    const bool unknown = info_.classification ? nodes.labels[i] < 0
                                              : std::any_of(nodes.targets.begin() + first,
                                                            nodes.targets.begin() + first + info_.outputs,
                                                            [](double target) { return std::isnan(target); });
    if (unknown)
      defect = {node, where_of(info_, sets[0]) + " has a node whose " +
                          (info_.classification ? "label" : "target") +
                          " is not known: take it out of the mask, or give its " +
                          (info_.classification ? "label" : "target") + of_node};
  }
  throw_first(comm_, defect);
}

}  // namespace graph
}  // namespace poise
