#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/import/npy.hpp"
#include "poise_data/graph.hpp"

namespace poise::data {
namespace {

/// A whole number of an array, within [low, high).
Index whole(const NpyMatrix& matrix, Index row, Index column, Index low, Index high,
            const std::string& what) {
  const double value = matrix.values[static_cast<std::size_t>(row * matrix.columns + column)];
  if (std::floor(value) != value || value < static_cast<double>(low) || value >= static_cast<double>(high))
    throw bad_input(fmt::format("{}: row {} (from 0) holds {}, which is no {} in [{}, {}): correct it",
                                matrix.path, row, to_text(value), what, low, high));
  return static_cast<Index>(value);
}

NpyMatrix numbers(const NpzFile& file, const std::string& name) {
  NpyMatrix matrix = file.read(name);
  if (!matrix.texts.empty()) throw bad_input(matrix.path + ": holds texts; numbers are needed here");
  return matrix;
}

GraphRows read_edges(const NpyMatrix& edges, Index nodes, bool directed, std::string& message) {
  if (edges.columns != 2)
    throw bad_input(fmt::format("{}: has {} columns; edges are two, the numbers of two nodes", edges.path,
                                edges.columns));
  RowBuilder builder(MPI_COMM_SELF, nodes);
  std::vector<GraphEntry> entries;
  for (Index edge = 0; edge < edges.rows; ++edge) {
    const Index a = whole(edges, edge, 0, 0, nodes, "node"), b = whole(edges, edge, 1, 0, nodes, "node");
    entries.push_back({a, b});
    if (!directed) entries.push_back({b, a});
  }
  builder.add(entries);
  GraphRows rows = builder.finish(directed);
  message = left_out(builder, !directed);
  return rows;
}

std::vector<Index> read_labels(const NpyMatrix& labels, Index nodes) {
  if (labels.columns != 1 || labels.rows != nodes)
    throw bad_input(fmt::format("{}: is [{}, {}]; it needs one label for each of the {} nodes", labels.path,
                                labels.rows, labels.columns, nodes));
  std::vector<Index> read;
  for (Index node = 0; node < nodes; ++node)
    read.push_back(whole(labels, node, 0, -1, most_classes, "class (-1: not known)"));
  return read;
}

/// The masks of the file by NodeSet, each [splits, nodes].
std::array<NpyMatrix, 3> read_masks(const NpzFile& file, Index nodes) {
  std::array<NpyMatrix, 3> masks;
  const std::array<std::string, 3> names{"train_masks", "val_masks", "test_masks"};
  for (std::size_t set = 0; set < masks.size(); ++set) {
    if (!file.has(names[set])) continue;
    NpyMatrix& mask = masks[set] = numbers(file, names[set]);
    if (mask.columns == 1 && mask.rows == nodes) std::swap(mask.columns, mask.rows);
    if (mask.columns != nodes || (masks[0].rows > 0 && mask.rows != masks[0].rows))
      throw bad_input(fmt::format("{}: is [{}, {}]; all masks must be [splits, nodes], with {} nodes",
                                  mask.path, mask.rows, mask.columns, nodes));
    for (Index split = 0; split < mask.rows; ++split)
      for (Index node = 0; node < nodes; ++node) (void)whole(mask, split, node, 0, 2, "truth value");
  }
  if (masks[0].rows == 0 && masks[1].rows + masks[2].rows > 0)
    throw bad_input(masks[1].path + masks[2].path + ": there are masks but no train_masks: add them");
  return masks;
}

void set_masks(GraphContent& content, std::array<NpyMatrix, 3> masks) {
  content.splits = masks[0].rows;
  content.set_of = [masks = std::move(masks)](Index split, Index node) -> std::optional<NodeSet> {
    std::optional<NodeSet> found;
    for (std::size_t set = 0; set < masks.size(); ++set) {
      if (masks[set].rows == 0) continue;
      if (masks[set].values[static_cast<std::size_t>(split * masks[set].columns + node)] != 1.0) continue;
      if (found)
        throw bad_input(
            fmt::format("{}: node {} is in two sets of split {} (both count from 0): take it out "
                        "of one",
                        masks[set].path, node, split));
      found = static_cast<NodeSet>(set);
    }
    return found;
  };
}

/// The features of the nodes, and their labels, if the file has any.
DatasetContent read_nodes(const NpzFile& file, NpyMatrix features) {
  for (std::size_t i = 0; i < features.values.size(); ++i)
    if (!std::isfinite(features.values[i]))
      throw bad_input(fmt::format("{}: row {} (from 0) holds {}: fill it in", features.path,
                                  static_cast<Index>(i) / features.columns, to_text(features.values[i])));
  DatasetContent content;
  SampleBlock& nodes = content.train;
  nodes.count = features.rows;
  nodes.inputs = features.columns;
  nodes.features = std::move(features.values);
  if (!file.has("node_labels")) return content;
  nodes.labels = read_labels(numbers(file, "node_labels"), nodes.count);
  nodes.outputs = *std::max_element(nodes.labels.begin(), nodes.labels.end()) + 1;
  return content;
}

}  // namespace

std::string import_graph(Options& options, bool declare_only) {
  const Options::Category category(options, "npz_graph");
  const std::string path =
      options.text("npz_graph", "",
                   "NPZ file of a graph, with the arrays node_features, edges [edges, 2], and, if there are "
                   "any, node_labels, train_masks, val_masks and test_masks [splits, nodes]");
  const bool directed = declare_directed(options);
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  require_output(output);
  const NpzFile file(path);
  NpyMatrix features = numbers(file, "node_features");
  const Index nodes = features.rows;
  GraphContent content = begin_graph(output);
  std::string message;
  content.rows = read_edges(numbers(file, "edges"), nodes, directed, message);
  set_masks(content, read_masks(file, nodes));
  set_nodes(content, read_nodes(file, std::move(features)));
  return write_graph(MPI_COMM_SELF, content) + message;
}

}  // namespace poise::data
