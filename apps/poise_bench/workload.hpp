#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/model/loss.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/objective.hpp"

namespace poise::bench {

/// All options of poise-bench except PETSc's. Zero stands for the default of the case, see `of`.
struct BenchSettings {
  std::string name, scaling_of, out, matrix_type, graph;
  bool weak = false;
  Index m = 0, n = 4096, q = 10, repeat = 0, panel = 0, dgemm_size = 1024;
  Index plain_samples = 512, recompute_every = 0;
  Index nodes = 10000;                           ///< of -case graph; `of` makes n of them
  double degree = 0.0, plain_factor = 0.0;       ///< of -case graph
  Activation activation = Activation::identity;  ///< of -case graph
  std::vector<Index> depths;
  int feature_ranks = 1;
  std::uint64_t seed = 0;
  double gamma = 0.0, init_scale_a = 1.0, init_scale_b = 1.0, relative_step = 1e-3;
  const Loss* loss = cross_entropy_loss();

  /// Declares and reads them all. Throws bad_input.
  static BenchSettings from(Options& options);
  /// These settings with the defaults of a case.
  [[nodiscard]] BenchSettings of(const std::string& case_name) const;
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-bench uses.
void declare_bench_solvers(Options& options);

/// The model of a case, its samples and the tolerance of its equilibria.
struct Recipe {
  Pointwise::Shape shape;
  double feature_scale = 1.0;  ///< features are this times N(0,1)
  double rtol = 1e-10;         ///< relative residual of the worst sample
  bool warm = false;           ///< starts from earlier equilibria, along steps of descent

  /// `settings`: from BenchSettings::of(case_name).
  static Recipe of(const std::string& case_name, const BenchSettings& settings);
};

/// A synthetic problem: weights and samples are functions of global indices and the seed alone, so that every
/// number of ranks computes the same numbers.
struct Workload {
  /// Collective on `comm`. `settings`: from BenchSettings::of(case_name). `samples`: n of all ranks together;
  /// `feature_ranks` must divide the number of ranks.
  Workload(MPI_Comm comm, const std::string& case_name, const BenchSettings& settings, Index samples,
           int feature_ranks);

  Recipe recipe;
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  VecHandle theta, gradient;
};

}  // namespace poise::bench
