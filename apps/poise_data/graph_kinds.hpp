#pragma once

#include <mpi.h>

#include <string>

#include "poise_data/graph.hpp"
#include "poise_data/graph_sets.hpp"

namespace poise::data {

/// The options of all kinds of graphs; a kind reads those that it declares.
struct GraphOptions : NodeSplits {
  Index chains = 0, length = 0;
  Index rows = 0, columns = 0;
  Index nodes = 0, classes = 0, inputs = 0;
  double degree = 0.0, degree_between = 0.0, signal = 0.0;
  std::string data;
  Index neighbours = 0, labelled = 0, validating = 0;
  Output output;
};

/// Collective. The training samples of a data file as nodes, joined with their nearest ones.
[[nodiscard]] GraphContent knn_content(MPI_Comm comm, const GraphOptions& options);

}  // namespace poise::data
