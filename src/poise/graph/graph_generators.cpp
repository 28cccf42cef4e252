#include "poise/graph/graph_generators.hpp"

#include <fmt/format.h>

#include "poise/base/error.hpp"

namespace poise {
inline namespace graph {
namespace {

constexpr Index most_nodes = Index{1} << 40;

void require_sizes(const char* what, Index a, Index b) {
  if (a < 1 || b < 1 || a > most_nodes / b)
    throw Error(
        ExitCode::bad_input,
        fmt::format("{} of {} x {} nodes: both must be at least 1, and the product at most 2^40", what, a, b),
        true);
}

/// Rows whose neighbours `visit(node, add)` hands to `add` in ascending order.
template <class Visit>
GraphRows rows_of(MPI_Comm comm, Index nodes, const Visit& visit) {
  GraphRows rows{.nodes = nodes, .own = own_nodes(comm, nodes)};
  for (Index node = rows.own.begin; node < rows.own.end; ++node) {
    visit(node, [&](bool exists, Index neighbour) {
      if (exists) rows.neighbours.push_back(neighbour);
    });
    rows.starts.push_back(rows.entries());
  }
  return rows;
}

}  // namespace

GraphRows chains(MPI_Comm comm, Index count, Index length) {
  require_sizes("chains", count, length);
  return rows_of(comm, count * length, [&](Index node, const auto& add) {
    add(node % length > 0, node - 1);
    add(node % length < length - 1, node + 1);
  });
}

GraphRows grid(MPI_Comm comm, Index rows, Index columns) {
  require_sizes("a grid", rows, columns);
  return rows_of(comm, rows * columns, [&](Index node, const auto& add) {
    add(node >= columns, node - columns);
    add(node % columns > 0, node - 1);
    add(node % columns < columns - 1, node + 1);
    add(node < (rows - 1) * columns, node + columns);
  });
}

}  // namespace graph
}  // namespace poise
