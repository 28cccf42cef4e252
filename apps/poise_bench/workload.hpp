#pragma once

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/sample_set.hpp"
#include "poise_bench/settings.hpp"

namespace poise {

/// A synthetic problem: weights and samples are functions of global indices and the seed alone, so that every
/// number of ranks computes the same thing.
struct Workload {
  /// Collective on `comm`. `samples`: n of all its ranks; `feature_ranks` must divide their number.
  Workload(MPI_Comm comm, const BenchSettings& settings, Index samples, int feature_ranks);

  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  VecHandle theta, gradient;
};

}  // namespace poise
