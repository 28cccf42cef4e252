#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>

#include "poise/base/check.hpp"
#include "poise/base/pieces.hpp"
#include "poise/base/text.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/io/hdf5.hpp"
#include "poise_data/graph.hpp"
#include "poise_data/poise_data.hpp"

namespace poise::data {
namespace {

/// Counts of the labels over all ranks; the last one is that of nodes without a label.
std::vector<Index> class_counts(MPI_Comm comm, const GraphInfo& info, const std::vector<Index>& labels) {
  std::vector<Index> counts(static_cast<std::size_t>(info.outputs + 1), 0);
  for (const Index label : labels) ++counts[static_cast<std::size_t>(label < 0 ? info.outputs : label)];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, counts.data(), static_cast<int>(counts.size()), MPI_INT64_T, MPI_SUM,
                          comm));
  return counts;
}

/// What the nodes of all ranks have, read in blocks.
struct NodeSummary {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0.0;
  std::vector<Index> labels{};
};

NodeSummary summarise(MPI_Comm comm, const GraphDataset& data, Range own) {
  constexpr Index block_values = 1 << 20;
  NodeSummary s;
  const Index rows = std::max<Index>(1, block_values / (data.info().inputs + data.info().outputs));
  for_pieces(comm, own, rows, [&](Range part) {
    const SampleBlock block = data.read_nodes(part);
    for (const double value : block.features) {
      s.low = std::min(s.low, value);
      s.high = std::max(s.high, value);
      s.sum += value;
    }
    s.labels.insert(s.labels.end(), block.labels.begin(), block.labels.end());
  });
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.low, 1, MPI_DOUBLE, MPI_MIN, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.high, 1, MPI_DOUBLE, MPI_MAX, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.sum, 1, MPI_DOUBLE, MPI_SUM, comm));
  return s;
}

/// Entries between nodes with labels, and those of them between equal labels, over all ranks.
struct LabelledEntries {
  Index all = 0, equal = 0;
};

/// Collective. `labels`: of the own nodes. Every label goes to the ranks that own the neighbours.
LabelledEntries labelled_entries(MPI_Comm comm, const GraphRows& rows, const std::vector<Index>& labels) {
  const auto label_of = [&](Index node) { return labels[static_cast<std::size_t>(node - rows.own.begin)]; };
  EntryExchange exchange(comm, node_offsets(comm, rows.nodes));
  std::array<Index, 2> counts{};
  std::vector<GraphEntry> sent;
  Index node = rows.own.begin;
  for_pieces(comm, {0, rows.entries()}, exchange.round(), [&](Range places) {
    sent.clear();
    for (Index place = places.begin; place < places.end; ++place) {
      while (rows.starts[static_cast<std::size_t>(node - rows.own.begin + 1)] <= place) ++node;
      const auto label = static_cast<double>(label_of(node));
      sent.push_back({rows.neighbours[static_cast<std::size_t>(place)], node, label});
    }
    for (const GraphEntry& entry : exchange.send(sent)) {
      const auto label = static_cast<Index>(entry.weight), own = label_of(entry.row);
      if (label < 0 || own < 0) continue;
      ++counts[0];
      if (label == own) ++counts[1];
    }
  });
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, counts.data(), 2, MPI_INT64_T, MPI_SUM, comm));
  return {counts[0], counts[1]};
}

void show_equal_labels(std::ostream& out, const GraphInfo& info, const LabelledEntries& counts) {
  if (counts.all == 0) {
    out << "  edges between nodes with labels: 0\n";
    return;
  }
  out << "  edges between equal labels: "
      << brief(100.0 * static_cast<double>(counts.equal) / static_cast<double>(counts.all), 4) << " % of "
      << plural(info.directed ? counts.all : counts.all / 2, "edge") << " between nodes with labels\n";
}

void show_structure(std::ostream& out, const GraphInfo& info, const GraphStatistics& s) {
  out << "  nodes: " << s.nodes << "\n";
  out << "  edges: " << (info.directed ? s.entries : s.entries / 2) << (info.directed ? ", directed" : "")
      << (info.weighted ? ", weighted" : "") << "\n";
  out << (info.directed ? "  neighbours in a row: min " : "  degrees: min ") << s.smallest_degree << ", mean "
      << brief(static_cast<double>(s.entries) / static_cast<double>(s.nodes), 4) << ", max "
      << s.largest_degree << "\n";
  out << "  isolated nodes: " << s.isolated << "\n";
  out << "  connected components: " << s.components << "\n";
}

void show_nodes(std::ostream& out, MPI_Comm comm, const GraphInfo& info, const NodeSummary& s) {
  out << "  /features [" << info.nodes << ", " << info.inputs << "] " << info.feature_type << ": min "
      << s.low << ", max " << s.high << ", mean "
      << s.sum / static_cast<double>(info.nodes) / static_cast<double>(info.inputs) << "\n";
  if (!info.has_answers) {
    out << "  no labels or targets\n";
  } else if (!info.classification) {
    out << "  /targets [" << info.nodes << ", " << info.outputs << "]\n";
  } else {
    const std::vector<Index> counts = class_counts(comm, info, s.labels);
    out << "  /labels [" << info.nodes << "], " << plural(info.outputs, "class") << "\n";
    constexpr Index most = 50;
    for (Index k = 0; k < std::min(info.outputs, most); ++k)
      out << "    class " << class_text(k, info.class_names) << ": " << counts[static_cast<std::size_t>(k)]
          << "\n";
    if (info.outputs > most) out << "    ...\n";
    if (counts.back() > 0) out << "    without a label: " << counts.back() << "\n";
  }
}

void show_splits(std::ostream& out, MPI_Comm comm, const GraphDataset& data, Range own) {
  if (!data.info().has_mask[0]) {
    out << "  no masks\n";
    return;
  }
  out << "  " << plural(data.info().splits, "split") << ", nodes for training, validation, test:\n";
  for (Index split = 0; split < data.info().splits; ++split) {
    const NodeMasks masks = data.read_masks(split, own);
    std::array<Index, 3> sizes{};
    for (std::size_t set = 0; set < sizes.size(); ++set)
      sizes[set] = std::count(masks[set].begin(), masks[set].end(), 1);
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, sizes.data(), 3, MPI_INT64_T, MPI_SUM, comm));
    constexpr Index most = 10;
    if (split < most) out << fmt::format("    {}: {}, {}, {}\n", split, sizes[0], sizes[1], sizes[2]);
    if (split == most) out << "    ...\n";
  }
}

}  // namespace

bool is_graph(MPI_Comm comm, const std::string& path) {
  const H5File file = H5File::open(comm, path);
  return file.has_attribute("/", "schema") ? file.text_attribute("/", "schema") == graph_schema
                                           : file.exists("/graph/indptr");
}

std::string show_graph(MPI_Comm comm, const std::string& path) {
  const GraphDataset data(comm, path);
  const GraphInfo& info = data.info();
  const Range own = own_nodes(comm, info.nodes);
  std::ostringstream out;
  out << describe_source(info);
  const GraphRows rows = data.read_own_rows();
  show_structure(out, info, statistics_of(comm, rows));
  const NodeSummary nodes = summarise(comm, data, own);
  show_nodes(out, comm, info, nodes);
  if (info.classification && info.has_answers)
    show_equal_labels(out, info, labelled_entries(comm, rows, nodes.labels));
  show_splits(out, comm, data, own);
  return out.str();
}

}  // namespace poise::data
