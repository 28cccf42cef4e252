#pragma once

#include <string>

#include "poise/model/parameter_layout.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/objective.hpp"
#include "poise_bench/settings.hpp"

namespace poise::bench {

/// The model that a case is about, its samples and what its equilibria are solved to.
struct Recipe {
  Pointwise::Shape shape;
  double feature_scale = 1.0;  ///< features are this times N(0,1)
  double rtol = 1e-10;         ///< relative residual of the worst sample
  bool warm = false;           ///< starts from earlier equilibria, along steps of descent

  /// `settings`: of the case, see BenchSettings::of.
  static Recipe of(const std::string& case_name, const BenchSettings& settings);
};

/// A synthetic problem: weights and samples are functions of global indices and the seed alone, so that every
/// number of ranks computes the same thing.
struct Workload {
  /// Collective on `comm`. `settings`: of the case `case_name`. `samples`: n of all its ranks;
  /// `feature_ranks` must divide their number.
  Workload(MPI_Comm comm, const std::string& case_name, const BenchSettings& settings, Index samples,
           int feature_ranks);

  Recipe recipe;
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  VecHandle theta, gradient;
};

}  // namespace poise::bench
