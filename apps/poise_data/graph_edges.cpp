#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/import/edge_list.hpp"
#include "poise_data/graph.hpp"
#include "poise_data/graph_sets.hpp"
#include "poise_data/node_numbers.hpp"
#include "poise_data/sample_sources.hpp"

namespace poise::data {
namespace {

/// Up to this number of nodes, every largest number of a node is believed; beyond it, up to a number of nodes
/// for each edge.
constexpr Index believed_nodes = 1'000'000;
constexpr Index nodes_an_edge = 100;
/// One-hot features of more nodes than this would fill memory and disk.
constexpr Index most_identity = 20'000;

struct EdgeOptions {
  std::string path, sets, made_features;
  bool directed = false, weights = true, map = false;
  TableOptions table;
  ArrayOptions arrays;
  NodeSplits splits;
  Output output;

  [[nodiscard]] bool has_table() const { return !table.path.empty(); }
  [[nodiscard]] bool has_arrays() const {
    return !(arrays.features + arrays.targets + arrays.labels).empty();
  }
  /// The file that has a row for each node; empty if there is none.
  [[nodiscard]] const std::string& node_file() const {
    if (has_table()) return table.path;
    if (!arrays.features.empty()) return arrays.features;
    return arrays.labels.empty() ? arrays.targets : arrays.labels;
  }
};

EdgeOptions declare(Options& options) {
  const Options::Category category(options, "edges");
  EdgeOptions o;
  o.path = options.text("edges", "",
                        "edges of a graph, plain or .gz: lines with source, target and perhaps a weight, "
                        "separated by , ; tab or blanks, or a Matrix Market file. -csv or -npy_features and "
                        "-npy_labels give the nodes");
  o.directed = declare_directed(options);
  o.weights = options.flag("edge_weights", true, "whether the third field of an edge is its weight");
  o.map = options.flag("map_nodes", false,
                       "without a file of the nodes: number the different nodes of the edges 0, 1, 2, ... in "
                       "the order of their numbers");
  o.made_features =
      options.choice("node_features", "degree", {"degree", "identity"},
                     "features of nodes without any in a file: their degrees (-directed: edges from and to "
                     "a node), or one-hot numbers");
  o.sets = options.text("sets", "",
                        "table of the fields node and set, train, validation, test or empty, with a further "
                        "set for each further split; if empty: random splits of the nodes with labels");
  o.splits = declare_node_splits(options);
  o.table = declare_table(options, true);
  o.arrays = declare_arrays(options, true);
  o.output = declare_output(options);
  return o;
}

/// Throws bad_input if an option is given that has no effect; `because` is the end of the message.
void refuse_given(const Options& options, std::initializer_list<const char*> names,
                  const std::string& because) {
  for (const char* name : names)
    if (const Setting* setting = options.find(name); setting != nullptr && setting->given)
      throw bad_input(fmt::format("option -{} {}", name, because));
}

void validate(const Options& options, const EdgeOptions& o) {
  if (o.has_table() && o.has_arrays())
    throw bad_input("-csv and NPY arrays exclude each other: give the nodes in one kind of file");
  if (o.has_table())
    validate(o.table);
  else
    refuse_given(options,
                 {"label_column", "target_columns", "target_csv", "drop_columns", "node_column", "csv_header",
                  "csv_separator", "csv_decimal"},
                 "belongs to -csv, the table of the nodes: give both, or leave it out");
  if (o.has_arrays())
    validate(o.arrays);
  else if (!o.has_table())
    refuse_given(options, {"unlabelled", "classes", "map_labels"},
                 "belongs to a file of the nodes, -csv, -npy_features or -npy_labels: give both, or leave it "
                 "out");
  if (!o.node_file().empty())
    refuse_given(options, {"map_nodes"},
                 "goes with edges alone, but " + o.node_file() +
                     " has the nodes: leave it out; -node_column names the column of their numbers");
  if (!o.sets.empty())
    refuse_given(options, {"splits", "train_share", "validation_share", "seed"},
                 "is about random splits, but -sets gives the sets: leave one of them out");
  require_shares(o.splits);
  require_output(o.output);
}

DatasetContent read_node_file(const Options& options, const EdgeOptions& o) {
  DatasetContent content;
  if (o.has_table()) content = read_samples(o.table);
  if (o.has_arrays()) content = read_samples(o.arrays);
  if (content.train.inputs > 0)
    refuse_given(options, {"node_features"},
                 "makes features, but " + o.node_file() + " has features: leave it out");
  return content;
}

/// Whether the label or target of each node is known; all, if there are none.
std::vector<bool> known_answers(const SampleBlock& nodes, Index count, const std::string& path) {
  std::vector<bool> known(static_cast<std::size_t>(count), true);
  for (std::size_t i = 0; i < nodes.labels.size(); ++i) known[i] = nodes.labels[i] >= 0;
  for (std::size_t i = 0; i < nodes.targets.size(); ++i)
    if (std::isnan(nodes.targets[i])) known[i / static_cast<std::size_t>(nodes.outputs)] = false;
  if (std::find(known.begin(), known.end(), true) == known.end())
    throw bad_input(path + ": no label or target is known: fill some in, or give -unlabelled true");
  return known;
}

void require_believable(const std::string& path, Index nodes, Index edges) {
  if (nodes > believed_nodes && nodes / nodes_an_edge > edges)
    throw bad_input(
        fmt::format("{}: has {} nodes, but {} only: are these identifiers? -map_nodes true "
                    "numbers the nodes of a list 0, 1, 2, ...",
                    path, nodes, plural(edges, "edge")));
}

/// The nodes that the edges name: all up to the largest number, or with -map_nodes those that have edges.
NodeNumbers nodes_of_edges(const EdgeOptions& o, EdgeReader& reader) {
  constexpr std::size_t most_unsorted = std::size_t{1} << 20;
  std::vector<Index> numbers;
  const auto merge = [&] {
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  };
  Index edges = 0, largest = 0;
  std::size_t merged = 0;
  for (Edge edge; reader.next(edge); ++edges) {
    largest = std::max({largest, edge.source, edge.target});
    if (!o.map) continue;
    numbers.push_back(edge.source);
    numbers.push_back(edge.target);
    if (numbers.size() < 2 * merged + most_unsorted) continue;
    merge();
    merged = numbers.size();
  }
  if (o.map) {
    merge();
    return {numbers, o.path + " has no edge of it: correct its number"};
  }
  const Index nodes = reader.is_matrix() ? reader.nodes() : largest + 1;
  require_believable(o.path, nodes, edges);
  return {nodes, reader.first_number(),
          fmt::format("the nodes of {} are {} to {}: correct its number", o.path, reader.first_number(),
                      nodes - 1 + reader.first_number())};
}

/// The nodes by their numbers; `rows`: of the file of the nodes.
NodeNumbers number_nodes(const EdgeOptions& o, Index rows) {
  EdgeReader reader(o.path, o.weights);
  if (reader.is_matrix() && (o.map || !o.table.node_column.empty()))
    throw bad_input(
        fmt::format("{}: the rows of a matrix are its nodes: leave -map_nodes and -node_column out", o.path));
  if (o.node_file().empty()) return nodes_of_edges(o, reader);
  if (!o.table.node_column.empty())
    return {read_node_numbers(o.table),
            o.table.path + " has no row for it: correct its number, or add the row"};
  if (reader.is_matrix() && reader.nodes() != rows)
    throw bad_input(fmt::format("{}: is a matrix of {} nodes, but {} has {}: both need the same nodes",
                                o.path, reader.nodes(), o.node_file(), plural(rows, "row")));
  return {rows, reader.first_number(),
          fmt::format("{} has {}, for the nodes {} to {}: correct its number, or add the row", o.node_file(),
                      plural(rows, "row"), reader.first_number(), rows - 1 + reader.first_number())};
}

/// Whether edges of the file lead to and fro.
bool both_directions(const EdgeOptions& o, const EdgeReader& reader) {
  return !o.directed || reader.symmetric();
}

/// The entry of an edge.
GraphEntry entry_of(const Edge& edge, const EdgeReader& reader, const NodeNumbers& numbers) {
  const GraphEntry entry{numbers.find(edge.source), numbers.find(edge.target), edge.weight};
  if (entry.row < 0) throw numbers.missing(edge.source, reader.at(edge.line));
  if (entry.column < 0) throw numbers.missing(edge.target, reader.at(edge.line));
  return entry;
}

/// The error of an edge that has two weights. Reads the file again to find the lines.
Error two_weights(const EdgeOptions& o, const NodeNumbers& numbers, const GraphEntry& entry) {
  EdgeReader reader(o.path);
  const bool both = both_directions(o, reader);
  Edge first, edge;
  while (reader.next(edge)) {
    const GraphEntry here = entry_of(edge, reader, numbers);
    const bool found = (here.row == entry.row && here.column == entry.column) ||
                       (both && here.column == entry.row && here.row == entry.column);
    if (!found || (first.line > 0 && edge.weight == first.weight)) continue;
    if (first.line > 0) break;
    first = edge;
  }
  return bad_input(fmt::format(
      "{}the edge of the nodes {} and {} has the weight {}, but {} on line {}: give it one weight{}",
      reader.at(edge.line), edge.source, edge.target, to_text(edge.weight), to_text(first.weight), first.line,
      both && !reader.symmetric() && edge.source != first.source
          ? "; -directed true keeps both directions as they are"
          : ""));
}

GraphRows read_edges(const EdgeOptions& o, const NodeNumbers& numbers, std::string& message) {
  EdgeReader reader(o.path, o.weights);
  const bool both = both_directions(o, reader);
  RowBuilder builder(MPI_COMM_SELF, numbers.count(), reader.weighted());
  std::vector<GraphEntry> entries;
  for (Edge edge; reader.next(edge);) {
    const GraphEntry entry = entry_of(edge, reader, numbers);
    entries.push_back(entry);
    if (both) entries.push_back({entry.column, entry.row, entry.weight});
    if (static_cast<Index>(entries.size()) < builder.round()) continue;
    builder.add(entries);
    entries.clear();
  }
  builder.add(entries);
  GraphRows rows = builder.finish(o.directed);
  if (builder.conflict()) throw two_weights(o, numbers, *builder.conflict());
  message += left_out(builder, both);
  return rows;
}

/// The edges from and to every node, one after the other.
std::vector<double> degrees_of(const GraphRows& rows) {
  std::vector<double> degrees(static_cast<std::size_t>(2 * rows.nodes), 0.0);
  for (std::size_t node = 0; node < degrees.size() / 2; ++node)
    degrees[2 * node] = static_cast<double>(rows.starts[node + 1] - rows.starts[node]);
  for (const Index neighbour : rows.neighbours) ++degrees[2 * static_cast<std::size_t>(neighbour) + 1];
  return degrees;
}

void set_degrees(const GraphRows& rows, DatasetContent& nodes) {
  const std::vector<double> degrees = degrees_of(rows);
  nodes.train.inputs = rows.directed ? 2 : 1;
  nodes.input_names = {"degree"};
  if (rows.directed) nodes.input_names = {"edges_from", "edges_to"};
  for (std::size_t i = 0; i < degrees.size(); i += rows.directed ? 1 : 2)
    nodes.train.features.push_back(degrees[i]);
}

/// Sets one-hot features, which are made block by block.
void set_identity(GraphContent& content) {
  const Index nodes = content.rows.nodes;
  if (nodes > most_identity)
    throw bad_input(
        fmt::format("-node_features identity: {} nodes would have as many features; up to {} can: "
                    "choose degree, or give features by -csv or -npy_features",
                    nodes, most_identity));
  content.info.inputs = nodes;
  content.info.feature_type = "uint8";
  content.nodes = [nodes, answers = std::move(content.nodes)](Range part) {
    SampleBlock block = answers(part);
    block.inputs = nodes;
    block.features.assign(static_cast<std::size_t>(nodes * part.size()), 0.0);
    for (Index node = part.begin; node < part.end; ++node)
      block.features[static_cast<std::size_t>((node - part.begin) * nodes + node)] = 1.0;
    return block;
  };
}

void set_sets(const Options& options, const EdgeOptions& o, const NodeNumbers& numbers,
              const std::vector<bool>& known, GraphContent& content) {
  if (!o.sets.empty()) {
    auto sets = read_sets(o.sets, numbers, known);
    content.splits = sets.splits;
    content.set_of = std::move(sets.set_of);
  } else if (content.info.has_answers) {
    content.splits = o.splits.splits;
    content.set_of = random_sets(o.splits, known);
  } else {
    refuse_given(options, {"splits", "train_share", "validation_share", "seed"},
                 "is about random splits of nodes with labels or targets, but there are none: leave it out, "
                 "or give labels");
  }
}

/// What a user should know of nodes that no edge names, as the end of a message.
std::string isolated_text(const EdgeOptions& o, const GraphRows& rows) {
  const std::vector<double> degrees = degrees_of(rows);
  Index isolated = 0;
  for (std::size_t i = 0; i < degrees.size(); i += 2)
    if (degrees[i] + degrees[i + 1] == 0.0) ++isolated;
  if (isolated == 0) return {};
  const bool may_map = o.node_file().empty() && !o.map;
  return fmt::format("; {} without an edge{}", plural(isolated, "node"),
                     may_map ? " (-map_nodes true leaves numbers out that no edge of a list has)" : "");
}

}  // namespace

std::string import_edges(Options& options, bool declare_only) {
  const EdgeOptions o = declare(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(options, o);
  DatasetContent nodes = read_node_file(options, o);
  const NodeNumbers numbers = number_nodes(o, nodes.train.count);
  std::string message;
  GraphContent content = begin_graph(o.output);
  content.rows = read_edges(o, numbers, message);
  message += isolated_text(o, content.rows);
  nodes.train.count = numbers.count();
  const std::vector<bool> known = known_answers(nodes.train, numbers.count(), o.node_file());
  const bool made = nodes.train.inputs == 0, identity = o.made_features == "identity";
  if (made && !identity) set_degrees(content.rows, nodes);
  if (made)
    message += fmt::format("; no features are given, so they are {} (-node_features)",
                           identity ? "one-hot" : "the degrees");
  set_nodes(content, std::move(nodes));
  if (made && identity) set_identity(content);
  set_sets(options, o, numbers, known, content);
  return write_graph(MPI_COMM_SELF, content) + message;
}

}  // namespace poise::data
