#pragma once

#include <mpi.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_dataset.hpp"
#include "poise/graph/graph_rows.hpp"
#include "poise/io/dataset_writer.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {

/// Collective on `comm`. `poise-data graph KIND`: makes a graph and writes the file -out. Returns a line
/// about it. With `declare_only` it declares the options of all kinds (for -help).
std::string make_graph(MPI_Comm comm, const std::string& kind, Options& options, bool declare_only = false);

/// `poise-data import -npz_graph`. Serial; declares its options, and writes the file -out. Returns a line
/// about it.
std::string import_graph(Options& options, bool declare_only = false);

/// Declares -directed. Not collective.
[[nodiscard]] bool declare_directed(Options& options);

/// `poise-data import -edges`, with the nodes of -csv or NPY arrays; like import_graph.
std::string import_edges(Options& options, bool declare_only = false);

/// Collective on `comm`. Whether a file says that it is a graph. Throws bad_input if it cannot be read.
[[nodiscard]] bool is_graph(MPI_Comm comm, const std::string& path);

/// Collective on `comm`. The content of a graph file as text: nodes, edges, degrees, components, classes and
/// splits. Reads and so checks every value; every rank reads its own nodes.
[[nodiscard]] std::string show_graph(MPI_Comm comm, const std::string& path);

/// A graph that is to be written, of which every rank has its own nodes (own_nodes).
struct GraphContent {
  GraphInfo info;  ///< as GraphWriter wants it
  GraphRows rows;
  /// The features and answers of some own nodes. Not collective.
  std::function<SampleBlock(Range nodes)> nodes;
  Index splits = 0;  ///< 0: no masks
  /// The set of an own node in a split; nothing: none. Not collective.
  std::function<std::optional<NodeSet>(Index split, Index node)> set_of;
};

/// A graph that is to be written to -out, with the texts of its header.
[[nodiscard]] GraphContent begin_graph(const Output& output);

/// Not collective. Takes the features and answers of the own nodes, and what the header says of them.
/// Features that are all whole numbers in [0, 255] are stored as bytes.
void set_nodes(GraphContent& content, DatasetContent nodes);

/// Not collective. Cuts blocks from the features and answers of all own nodes.
[[nodiscard]] std::function<SampleBlock(Range nodes)> blocks_of(SampleBlock own);

/// How many edges were left out, as the end of a message; empty if none. `to_and_fro`: every edge was passed
/// in both directions.
[[nodiscard]] std::string left_out(const RowBuilder& builder, bool to_and_fro);

/// Collective. Writes the file in blocks of nodes; a line about it.
std::string write_graph(MPI_Comm comm, const GraphContent& content);

}  // namespace poise::data
