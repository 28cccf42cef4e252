#pragma once

#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/sample_set.hpp"

namespace poise {

/// Norms of the columns of Φ that this rank's samples have, the same on the ranks of grid.feature().
struct FeatureNorms {
  std::vector<double> one;   ///< ‖φ_i‖₁
  std::vector<double> two;   ///< ‖φ_i‖₂
  double largest_one = 0.0;  ///< over the samples of all ranks
  double largest_two = 0.0;
};
/// Collective on the world.
[[nodiscard]] FeatureNorms feature_norms(const ParameterLayout& layout, const SampleSet& samples);

}  // namespace poise
