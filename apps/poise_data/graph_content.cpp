#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/pieces.hpp"
#include "poise/graph/graph_writer.hpp"
#include "poise_data/graph.hpp"

namespace poise::data {
namespace {

constexpr Index block_values = 1 << 20;  // 8 MB of features at a time

/// "60 training, 20 validation and 103 test nodes" of the first split.
std::string sizes_text(MPI_Comm comm, std::array<Index, 3> sizes) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sizes.data(), 3, MPI_INT64_T, MPI_SUM, comm));
  return fmt::format("{} training, {} validation and {} test nodes", sizes[0], sizes[1], sizes[2]);
}

/// "directed weighted edge".
std::string kind_of_edge(const GraphInfo& info) {
  return std::string(info.directed ? "directed " : "") + (info.weighted ? "weighted " : "") + "edge";
}

std::string write_masks(MPI_Comm comm, const GraphContent& content, GraphWriter& writer) {
  const Range own = content.rows.own;
  const auto all = static_cast<std::size_t>(content.splits * own.size());
  std::array<Index, 3> sizes{};
  for (std::size_t set = 0; set < sizes.size(); ++set) {
    std::vector<std::uint8_t> mask;
    mask.reserve(all);
    for (Index split = 0; split < content.splits; ++split)
      for (Index node = own.begin; node < own.end; ++node)
        mask.push_back(content.set_of(split, node) == static_cast<NodeSet>(set) ? 1 : 0);
    sizes[set] = std::count(mask.begin(), mask.begin() + own.size(), 1);
    writer.write_mask(static_cast<NodeSet>(set), content.splits, mask);
  }
  return sizes_text(comm, sizes);
}

}  // namespace

bool declare_directed(Options& options) {
  const Options::Category category(options, "edges");
  return options.flag("directed", false, "keep the direction of the edges");
}

GraphContent begin_graph(const Output& output) {
  GraphContent content;
  content.info.path = output.path;
  content.info.name = output.name;
  content.info.source = output.source;
  content.info.license = output.license;
  return content;
}

std::function<SampleBlock(Range nodes)> blocks_of(SampleBlock own) {
  return [own = std::move(own)](Range part) {
    const auto cut = [&](const auto& values, Index width) {
      if (values.empty()) return std::decay_t<decltype(values)>{};
      const auto begin = values.begin() + (part.begin - own.begin) * width;
      return std::decay_t<decltype(values)>(begin, begin + part.size() * width);
    };
    return SampleBlock{.begin = part.begin,
                       .count = part.size(),
                       .inputs = own.inputs,
                       .outputs = own.outputs,
                       .features = cut(own.features, own.inputs),
                       .targets = cut(own.targets, own.outputs),
                       .labels = cut(own.labels, 1)};
  };
}

void set_nodes(GraphContent& content, DatasetContent nodes) {
  const auto is_byte = [](double x) { return x >= 0 && x <= 255 && std::floor(x) == x; };
  SampleBlock& block = nodes.train;
  GraphInfo& info = content.info;
  info.feature_type =
      std::all_of(block.features.begin(), block.features.end(), is_byte) ? "uint8" : "float64";
  info.inputs = block.inputs;
  info.outputs = block.outputs;
  info.classification = !block.labels.empty();
  info.has_answers = info.classification || !block.targets.empty();
  info.input_names = std::move(nodes.input_names);
  info.target_names = std::move(nodes.target_names);
  info.class_names = std::move(nodes.class_names);
  content.nodes = blocks_of(std::move(block));
}

std::string left_out(const RowBuilder& builder, bool to_and_fro) {
  const Index directions = to_and_fro ? 2 : 1;
  if (builder.self_loops() + builder.doubles() == 0) return {};
  return fmt::format("; left out {} and {}", plural(builder.self_loops() / directions, "self-loop"),
                     plural(builder.doubles() / directions, "double edge"));
}

std::string write_graph(MPI_Comm comm, const GraphContent& content) {
  GraphWriter writer(comm, content.info, content.rows);
  const GraphInfo& info = writer.info();
  const Index rows = std::max<Index>(1, block_values / (info.inputs + info.outputs));
  for_pieces(comm, content.rows.own, rows, [&](Range part) { writer.write_nodes(content.nodes(part)); });
  std::string text = fmt::format("{}: {}, {}, {} ({})", info.path, plural(info.nodes, "node"),
                                 plural(info.directed ? info.entries : info.entries / 2, kind_of_edge(info)),
                                 plural(info.inputs, "feature"), info.feature_type);
  if (info.has_answers) text += ", " + plural(info.outputs, info.classification ? "class" : "target");
  if (content.splits > 0)
    text += fmt::format(", {} of {}", plural(content.splits, "split"), write_masks(comm, content, writer));
  writer.commit();
  return text;
}

}  // namespace poise::data
