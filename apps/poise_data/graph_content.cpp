#include <fmt/format.h>

#include <algorithm>
#include <array>

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

std::string write_graph(MPI_Comm comm, const GraphContent& content) {
  GraphWriter writer(comm, content.info, content.rows);
  const GraphInfo& info = writer.info();
  const Index rows = std::max<Index>(1, block_values / (info.inputs + info.outputs));
  for_pieces(comm, content.rows.own, rows, [&](Range part) { writer.write_nodes(content.nodes(part)); });
  std::string text =
      fmt::format("{}: {}, {}, {} ({})", info.path, plural(info.nodes, "node"),
                  info.directed ? plural(info.entries, "directed edge") : plural(info.entries / 2, "edge"),
                  plural(info.inputs, "feature"), info.feature_type);
  if (info.has_answers) text += ", " + plural(info.outputs, info.classification ? "class" : "target");
  if (content.splits > 0)
    text += fmt::format(", {} of {}", plural(content.splits, "split"), write_masks(comm, content, writer));
  writer.commit();
  return text;
}

}  // namespace poise::data
