#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/graph/graph_generators.hpp"
#include "poise_data/graph_kinds.hpp"

namespace poise::data {
namespace {

/// The sets of all nodes in a split: of every class, the nodes with the smallest random numbers train, those
/// with the next ones validate.
std::vector<NodeSet> labelled_sets(const std::vector<Index>& labels, Index classes, const GraphOptions& o,
                                   Index split) {
  const CounterRandom random(o.seed, Stream::graph_split);
  std::vector<std::vector<std::pair<double, std::size_t>>> drawn(static_cast<std::size_t>(classes));
  for (std::size_t node = 0; node < labels.size(); ++node)
    drawn[static_cast<std::size_t>(labels[node])].emplace_back(
        random.uniform(node, static_cast<std::uint64_t>(split)), node);
  std::vector<NodeSet> sets(labels.size(), NodeSet::test);
  for (auto& of_class : drawn) {
    std::sort(of_class.begin(), of_class.end());
    for (std::size_t i = 0; i < of_class.size(); ++i) {
      const auto place = static_cast<Index>(i);
      if (place < o.labelled + o.validating)
        sets[of_class[i].second] = place < o.labelled ? NodeSet::train : NodeSet::validation;
    }
  }
  return sets;
}

/// The header of the graph: its features are stored as those of the data file, if these are bytes.
GraphInfo header_of(const DatasetInfo& data, const GraphOptions& o) {
  GraphInfo info;
  static_cast<DatasetInfo&>(info) = data;
  info.path = o.output.path;
  info.name = o.output.name;
  info.source =
      o.output.source.empty()
          ? fmt::format("poise-data graph knn: {} nearest neighbours of {}, {} labels a class, seed {}",
                        o.neighbours, data.name, o.labelled, o.seed)
          : o.output.source;
  info.license = o.output.license.empty() ? data.license : o.output.license;
  const bool bytes = data.feature_type == "uint8" && data.features_packing.add_offset == 0.0;
  info.feature_type = bytes ? "uint8" : "float64";
  if (!bytes) info.scale_factor = 1.0;
  return info;
}

}  // namespace

GraphContent knn_content(MPI_Comm comm, const GraphOptions& o) {
  if (o.data.empty())
    throw Error(ExitCode::bad_input, "graph knn: option -data is missing: name a data file", true);
  const Dataset data(comm, o.data);
  if (!data.info().classification)
    throw Error(ExitCode::bad_input,
                "data file '" + o.data +
                    "' has targets; a graph of neighbours needs labels, of which "
                    "-labelled counts those of each class",
                true);
  const Index nodes = data.info().samples;
  const Range own = own_nodes(comm, nodes);
  GraphContent content;
  content.info = header_of(data.info(), o);
  SampleBlock all = data.read_train(own);
  content.rows = nearest_neighbours(comm, all.features, all.inputs, nodes, o.neighbours);
  if (content.info.scale_factor != 1.0)
    for (double& feature : all.features) feature = std::round(feature / content.info.scale_factor);
  all.targets.clear();  // one-hot; the labels are stored
  content.nodes = blocks_of(std::move(all));
  content.splits = o.splits;
  std::vector<std::vector<NodeSet>> sets;
  const std::vector<Index> labels = data.read_train_labels({0, nodes});
  for (Index split = 0; split < o.splits; ++split)
    sets.push_back(labelled_sets(labels, data.info().outputs, o, split));
  content.set_of = [sets = std::move(sets)](Index split, Index node) {
    return sets[static_cast<std::size_t>(split)][static_cast<std::size_t>(node)];
  };
  return content;
}

}  // namespace poise::data
