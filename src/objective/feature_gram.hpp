#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/sample_set.hpp"

namespace poise {

/// Collective on the world. ΦΦᵀ of a set of samples, or Φ diag(ω) Φᵀ with the weights ω_i of this rank's
/// samples (`weights`: samples.count numbers, equal on the ranks of grid.feature(); null: all 1). m x m, rows
/// over the world in the slices of `layout`. n m² work.
[[nodiscard]] RowBlockMatrix feature_gram(const ParameterLayout& layout, const SampleSet& samples,
                                          const std::vector<double>* weights = nullptr);

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
