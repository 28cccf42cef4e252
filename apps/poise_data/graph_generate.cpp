#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/graph/graph_generators.hpp"
#include "poise_data/graph.hpp"
#include "poise_data/graph_kinds.hpp"

namespace poise::data {
namespace {

std::uint64_t counter(Index i) {
  return static_cast<std::uint64_t>(i);
}

/// Sets the parts of the header that all kinds share.
GraphContent begun(const GraphOptions& o, GraphRows rows, Index inputs, const std::string& source) {
  GraphContent content = begin_graph(o.output);
  if (o.output.source.empty()) content.info.source = "poise-data graph " + source;
  content.info.inputs = inputs;
  content.info.outputs = o.classes;
  content.info.classification = true;
  content.splits = o.splits;
  content.set_of = random_sets(o, rows.nodes);
  content.rows = std::move(rows);
  return content;
}

SampleBlock empty_block(const GraphInfo& info, Range nodes) {
  SampleBlock block{
      .begin = nodes.begin, .count = nodes.size(), .inputs = info.inputs, .outputs = info.outputs};
  block.features.assign(static_cast<std::size_t>(info.inputs * nodes.size()), 0.0);
  return block;
}

GraphContent chain_content(MPI_Comm comm, const GraphOptions& o) {
  GraphContent content = begun(o, chains(comm, o.classes * o.chains, o.length), o.inputs,
                               fmt::format("chain: {} classes x {} chains of {} nodes, seed {}", o.classes,
                                           o.chains, o.length, o.seed));
  content.info.feature_type = "uint8";
  content.nodes = [o, info = content.info](Range nodes) {
    SampleBlock block = empty_block(info, nodes);
    for (Index node = nodes.begin; node < nodes.end; ++node) {
      const Index label = node / o.length / o.chains;
      block.labels.push_back(label);
      if (node % o.length == 0)
        block.features[static_cast<std::size_t>((node - nodes.begin) * o.inputs + label)] = 1.0;
    }
    return block;
  };
  return content;
}

/// Features N(0, 1); the label is the argmax of a random linear map of them.
std::function<SampleBlock(Range)> random_nodes(const GraphOptions& o, const GraphInfo& info) {
  const CounterRandom of_map(o.seed, Stream::graph_labels);
  std::vector<double> map;
  for (Index c = 0; c < o.classes; ++c)
    for (Index j = 0; j < o.inputs; ++j) map.push_back(of_map.normal(counter(c), counter(j)));
  return [o, info, map, random = CounterRandom(o.seed, Stream::graph_features)](Range nodes) {
    SampleBlock block = empty_block(info, nodes);
    auto x = block.features.begin();
    for (Index node = nodes.begin; node < nodes.end; ++node, x += o.inputs) {
      for (Index j = 0; j < o.inputs; ++j) x[j] = random.normal(counter(node), counter(j));
      std::vector<double> scores;
      for (Index c = 0; c < o.classes; ++c)
        scores.push_back(std::inner_product(x, x + o.inputs, map.begin() + c * o.inputs, 0.0));
      block.labels.push_back(std::max_element(scores.begin(), scores.end()) - scores.begin());
    }
    return block;
  };
}

GraphContent grid_content(MPI_Comm comm, const GraphOptions& o) {
  GraphContent content = begun(o, grid(comm, o.rows, o.columns), o.inputs,
                               fmt::format("grid: {} x {} nodes, seed {}", o.rows, o.columns, o.seed));
  content.nodes = random_nodes(o, content.info);
  return content;
}

GraphContent rmat_content(MPI_Comm comm, const GraphOptions& o) {
  const auto drawn = static_cast<Index>(std::llround(0.5 * o.degree * static_cast<double>(o.nodes)));
  GraphContent content =
      begun(o, rmat(comm, o.nodes, std::max<Index>(1, drawn), o.seed), o.inputs,
            fmt::format("rmat: {} nodes, {} edges drawn, seed {}", o.nodes, drawn, o.seed));
  content.nodes = random_nodes(o, content.info);
  return content;
}

/// The label is the block; features are N(0, 1) around a random centre of the block.
GraphContent sbm_content(MPI_Comm comm, const GraphOptions& o) {
  GraphContent content = begun(
      o, stochastic_blocks(comm, {o.nodes, o.classes, o.degree, o.degree_between, o.seed}), o.inputs,
      fmt::format("sbm: {} nodes in {} blocks, degrees {} inside and {} between, signal {}, seed {}", o.nodes,
                  o.classes, to_text(o.degree), to_text(o.degree_between), to_text(o.signal), o.seed));
  content.nodes = [o, info = content.info](Range nodes) {
    const CounterRandom noise(o.seed, Stream::graph_features), centres(o.seed, Stream::graph_labels);
    SampleBlock block = empty_block(info, nodes);
    auto x = block.features.begin();
    for (Index node = nodes.begin; node < nodes.end; ++node, x += o.inputs) {
      const Index label = block_of(node, o.nodes, o.classes);
      block.labels.push_back(label);
      for (Index j = 0; j < o.inputs; ++j)
        x[j] =
            o.signal * centres.normal(counter(label), counter(j)) + noise.normal(counter(node), counter(j));
    }
    return block;
  };
  return content;
}

struct Kind {
  const char* name;
  GraphContent (*make)(MPI_Comm, const GraphOptions&);
};
constexpr std::array<Kind, 5> kinds{{{"chain", chain_content},
                                     {"grid", grid_content},
                                     {"sbm", sbm_content},
                                     {"rmat", rmat_content},
                                     {"knn", knn_content}}};

/// Declares the options of a kind, or of all kinds if it is empty.
GraphOptions declare(Options& options, const std::string& kind) {
  const Options::Category category(options, "graph");
  const auto is = [&](std::initializer_list<const char*> names) {
    return kind.empty() || std::find(names.begin(), names.end(), kind) != names.end();
  };
  GraphOptions o;
  if (is({"chain"})) {
    o.chains = options.integer("chains", 20, {1}, "chain: chains of each class");
    o.length = options.integer("length", 10, {1}, "chain: nodes of a chain");
  }
  if (is({"grid"})) {
    o.rows = options.integer("rows", 10, {1}, "grid: rows of nodes");
    o.columns = options.integer("columns", 10, {1}, "grid: nodes of a row");
  }
  if (is({"sbm", "rmat"})) {
    o.nodes = options.integer("nodes", 1000, {2}, "sbm and rmat: number of nodes");
    o.degree =
        options.real("degree", 10, {0},
                     "rmat: mean number of neighbours, before doubles and self-loops are removed; sbm: "
                     "expected number of neighbours in the block of a node");
  }
  if (is({"sbm"})) {
    o.degree_between = options.real("degree_between", 2, {0}, "sbm: expected number of neighbours in others");
    o.signal = options.real("signal", 0.5, {0},
                            "sbm: scale of the centres of the blocks; features are N(0, 1) around them");
  }
  if (is({"chain", "grid", "sbm", "rmat"})) {
    o.classes = options.integer("node_classes", 2, {2, static_cast<double>(most_classes)},
                                "classes; sbm: number of blocks, of which each is a class");
    o.inputs = options.integer("node_inputs", 100, {1}, "features of a node");
  }
  if (is({"knn"})) {
    o.data = options.text("data", "", "knn: the data file whose training samples become nodes");
    o.neighbours = options.integer("neighbours", 10, {1}, "knn: nearest samples that a node is joined with");
    o.labelled = options.integer("labelled", 20, {1}, "knn: training nodes of each class");
    o.validating = options.integer("validating", 30, {0},
                                   "knn: validation nodes of each class; the others are test nodes");
  }
  static_cast<NodeSplits&>(o) = declare_node_splits(options, kind != "knn");
  o.output = declare_output(options);
  return o;
}

}  // namespace

std::string make_graph(MPI_Comm comm, const std::string& kind, Options& options, bool declare_only) {
  if (declare_only) {
    (void)declare(options, "");
    return {};
  }
  const auto* const found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& known) { return kind == known.name; });
  if (found == kinds.end())
    throw Error(
        ExitCode::bad_input,
        "graph: name one of the kinds chain, grid, sbm, rmat and knn; poise-data -help shows the commands",
        true);
  const GraphOptions o = declare(options, kind);
  options.reject_unknown();
  on_root(comm, [&] {
    require_output(o.output);
    require_shares(o);
    if (kind == "chain" && o.inputs < o.classes)
      throw bad_input(fmt::format("-node_inputs {}: chains of {} classes need a feature of each class",
                                  o.inputs, o.classes));
  });
  return write_graph(comm, found->make(comm, o));
}

}  // namespace poise::data
