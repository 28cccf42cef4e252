#pragma once

#include <mpi.h>

#include "poise/base/options.hpp"
#include "poise/io/dataset.hpp"

namespace poise::data {

/// A linear teacher: Y = W X + noise, W ~ N(0, 1) / sqrt(d), X ~ N(0, 1), noise ~ s N(0, 1). A teacher of
/// rank r is W = G H / sqrt(r d), G (q x r) and H (r x d) ~ N(0, 1): entries of the same variance.
struct SyntheticProblem {
  Index samples = 0, test_samples = 0;
  Index inputs = 0, outputs = 0;
  Index teacher_rank = 0;  ///< r; 0: full
  double noise = 0.0;
  std::uint64_t seed = 0;
  bool classification = false;  ///< labels are the argmax of W x + noise
};

/// Collective on `comm`. Writes the problem to `path` (`info` also carries name, source and licence), and W
/// as /teacher [q, d]. Every rank generates and writes its own rows in blocks of bounded size; the numbers do
/// not depend on the number of ranks. Test sample t is sample n + t of the same random streams.
DatasetInfo write_synthetic(MPI_Comm comm, const SyntheticProblem& problem, DatasetInfo info);

/// Collective on `comm`. `poise-data synthetic`: declares its options and writes the file.
DatasetInfo synthetic_dataset(MPI_Comm comm, Options& options, bool declare_only = false);

}  // namespace poise::data
