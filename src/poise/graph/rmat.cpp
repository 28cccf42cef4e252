#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/permutation.hpp"
#include "poise/base/pieces.hpp"
#include "poise/base/random.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_generators.hpp"

namespace poise {
inline namespace graph {
namespace {

/// The whole numbers from 0 to 99 of one random number, by arithmetic without rounding: every build then
/// makes the same graph.
class Percents {
 public:
  static constexpr int digits = 53;  ///< of a double
  static constexpr int most = 6;     ///< after so many, 13 random bits are left
  explicit Percents(double uniform) : bits_(static_cast<std::uint64_t>(std::ldexp(uniform, digits)) & mask) {}
  int next() {
    bits_ *= 100;
    const auto percent = static_cast<int>(bits_ >> digits);
    bits_ &= mask;
    return percent;
  }

 private:
  static constexpr std::uint64_t mask = (std::uint64_t{1} << digits) - 1;
  std::uint64_t bits_;
};

constexpr int percent_a = 57, percent_b = 19, percent_c = 19;

/// Draws places in a matrix of 2^levels x 2^levels by choosing one of its quarters again and again.
class Quarters {
 public:
  Quarters(Index nodes, std::uint64_t seed) : nodes_(nodes), random_(seed, Stream::graph_edges) {
    while ((Index{1} << levels_) < nodes) ++levels_;
  }
  /// Edge number `edge`. Places outside the graph are drawn again: by the probabilities above, more than half
  /// of the places are inside.
  [[nodiscard]] GraphEntry edge(Index edge) const {
    for (std::uint64_t draw = 0;;) {
      GraphEntry entry;
      for (int level = 0; level < levels_; level += Percents::most) {
        Percents percents(random_.uniform(static_cast<std::uint64_t>(edge), draw++));
        for (int k = level; k < std::min(levels_, level + Percents::most); ++k)
          choose(percents.next(), entry);
      }
      if (entry.row < nodes_ && entry.column < nodes_) return entry;
    }
  }

 private:
  static void choose(int percent, GraphEntry& entry) {
    const bool right = (percent >= percent_a && percent < percent_a + percent_b) ||
                       percent >= percent_a + percent_b + percent_c;
    const bool below = percent >= percent_a + percent_b;
    entry.row = 2 * entry.row + (below ? 1 : 0);
    entry.column = 2 * entry.column + (right ? 1 : 0);
  }

  Index nodes_;
  CounterRandom random_;
  int levels_ = 0;
};

}  // namespace

GraphRows rmat(MPI_Comm comm, Index nodes, Index drawn, std::uint64_t seed) {
  if (nodes < 2 || drawn < 1)
    throw Error(ExitCode::bad_input,
                fmt::format("an R-MAT graph of {} nodes and {} edges: it needs at least 2 nodes and 1 edge",
                            nodes, drawn),
                true);
  const Quarters quarters(nodes, seed);
  const Permutation order(nodes, seed, Stream::graph_order);
  RowBuilder builder(comm, nodes);
  std::vector<GraphEntry> entries;
  for_pieces(comm, own_block(comm, drawn), builder.round() / 2, [&](Range edges) {
    entries.clear();
    for (Index e = edges.begin; e < edges.end; ++e) {
      const GraphEntry edge = quarters.edge(e);
      const Index a = order.place(0, edge.row), b = order.place(0, edge.column);
      entries.push_back({a, b});
      entries.push_back({b, a});
    }
    builder.add(entries);
  });
  return builder.finish(false);
}

}  // namespace graph
}  // namespace poise
