#pragma once

#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/objective/objective.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace theory {

/// The slopes a'(Wz* + u) at the equilibria of some samples: ∂h/∂z = diag(slopes)W there.
struct SampledSlopes {
  std::vector<Index> samples;               ///< global numbers of the samples
  std::vector<std::vector<double>> slopes;  ///< per sample: this rank's slice rows, over the world
  std::vector<double> mean;                 ///< mean over these samples
  Outcome outcome;                          ///< outcome of the equilibria; the worst of all ranks
};

/// Collective on the world. Solves for the equilibria of `count` samples, spread evenly over the set and the
/// same on any number of ranks, with the solver of a training (prefix `eq_`). Every rank gets its slice rows
/// of the slopes of all these samples. `map` must have its parameters. Throws failure if an equilibrium is
/// not found.
[[nodiscard]] SampledSlopes sample_slopes(const ParameterLayout& layout, const Pointwise& map,
                                          const SampleSet& set, Index count);

}  // namespace theory
}  // namespace poise
