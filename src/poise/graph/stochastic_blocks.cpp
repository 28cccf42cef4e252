#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/pieces.hpp"
#include "poise/base/random.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_generators.hpp"

namespace poise {
inline namespace graph {
namespace {

/// Visits every number of a range with the same probability, by the gaps between those that it visits. `draw`
/// counts the random numbers of a row.
template <class Visit>
void visit_some(const CounterRandom& random, Index row, std::uint64_t& draw, Range range, double probability,
                const Visit& visit) {
  if (probability <= 0.0) return;
  const double log_miss = std::log1p(-std::min(probability, 1.0));
  for (Index column = range.begin;; ++column) {
    const double gap =
        std::floor(std::log(random.uniform(static_cast<std::uint64_t>(row), draw++)) / log_miss);
    if (!(gap < static_cast<double>(range.end - column))) return;
    column += static_cast<Index>(gap);
    visit(column);
  }
}

}  // namespace

Index block_of(Index node, Index nodes, Index blocks) {
  const Index larger = nodes % blocks, size = nodes / blocks;
  const Index in_larger = larger * (size + 1);
  return node < in_larger ? node / (size + 1) : larger + (node - in_larger) / size;
}

GraphRows stochastic_blocks(MPI_Comm comm, const BlockModel& model) {
  const Index nodes = model.nodes, blocks = model.blocks;
  const double inside = model.inside, between = model.between;
  if (blocks < 1 || nodes < 2 * blocks || nodes / blocks - 1 < inside || nodes - nodes / blocks < between)
    throw Error(
        ExitCode::bad_input,
        fmt::format("{} nodes in {} blocks, with {} neighbours inside and {} in other blocks: a block "
                    "needs at least 2 nodes, and more nodes than a node has neighbours there",
                    nodes, blocks, to_text(inside), to_text(between)),
        true);
  const double size = static_cast<double>(nodes) / static_cast<double>(blocks);
  const double near = inside / (size - 1.0);
  const double far = blocks == 1 ? 0.0 : between / (static_cast<double>(nodes) - size);
  const CounterRandom random(model.seed, Stream::graph_edges);
  RowBuilder builder(comm, nodes);
  std::vector<GraphEntry> entries;
  const auto rows = static_cast<Index>(static_cast<double>(builder.round()) / (inside + between + 2.0));
  for_pieces(comm, own_nodes(comm, nodes), std::max<Index>(1, rows), [&](Range part) {
    entries.clear();
    for (Index node = part.begin; node < part.end; ++node) {
      const auto add = [&](Index other) {
        entries.push_back({node, other});
        entries.push_back({other, node});
      };
      const Index end =
          block_range(nodes, static_cast<int>(blocks), static_cast<int>(block_of(node, nodes, blocks))).end;
      std::uint64_t draw = 0;
      visit_some(random, node, draw, {node + 1, end}, near, add);
      visit_some(random, node, draw, {end, nodes}, far, add);
    }
    builder.add(entries);
  });
  return builder.finish(false);
}

}  // namespace graph
}  // namespace poise
