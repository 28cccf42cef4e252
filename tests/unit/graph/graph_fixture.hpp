#pragma once

#include <gtest/gtest.h>

#include "poise/graph/graph_rows.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {

/// The values of all ranks in the order of the ranks.
template <class Value>
std::vector<Value> joined(const std::vector<Value>& own, MPI_Datatype type) {
  const auto count = static_cast<int>(own.size());
  std::vector<int> counts(static_cast<std::size_t>(world_size())), places(counts.size(), 0);
  MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, MPI_COMM_WORLD);
  for (std::size_t r = 1; r < counts.size(); ++r) places[r] = places[r - 1] + counts[r - 1];
  std::vector<Value> all(static_cast<std::size_t>(places.back() + counts.back()));
  MPI_Allgatherv(own.data(), count, type, all.data(), counts.data(), places.data(), type, MPI_COMM_WORLD);
  return all;
}

/// The whole graph on every rank.
inline GraphRows gathered(const GraphRows& rows) {
  std::vector<Index> degrees;
  for (std::size_t i = 0; i + 1 < rows.starts.size(); ++i)
    degrees.push_back(rows.starts[i + 1] - rows.starts[i]);
  GraphRows all{.nodes = rows.nodes, .own = {0, rows.nodes}, .directed = rows.directed};
  for (const Index degree : joined(degrees, MPI_INT64_T)) all.starts.push_back(all.starts.back() + degree);
  all.neighbours = joined(rows.neighbours, MPI_INT64_T);
  all.weights = joined(rows.weights, MPI_DOUBLE);
  return all;
}

}  // namespace poise
