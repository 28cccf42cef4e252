#pragma once

#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/objective.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {

/// The slopes a'(Wz* + u) at the equilibria of some samples: ∂h/∂z = diag(slopes)W there.
struct SampledSlopes {
  std::vector<Index> samples;               ///< their global numbers
  std::vector<std::vector<double>> slopes;  ///< of each: this rank's slice rows, over the world
  std::vector<double> mean;                 ///< over these samples
  Outcome outcome;                          ///< of the equilibria; the largest of all ranks
};

/// Collective on the world. Solves for the equilibria of `count` samples spread evenly over the set (the same
/// ones on any number of ranks) with the solver of a training, prefix `eq_`, and gives each one's slopes to
/// all ranks, sliced as θ is. `map` has taken its parameters. Throws failure if an equilibrium was not found.
[[nodiscard]] SampledSlopes sample_slopes(const ParameterLayout& layout, const Pointwise& map,
                                          const SampleSet& set, Index count);

}  // namespace poise
