#pragma once

#include <algorithm>
#include <vector>

#include "poise/model/feature_map.hpp"

namespace poise {
inline namespace model {

// For feature maps that first compute T(x − mean), with T in the block "transform".

/// Calls `use` with panels of the columns of x minus the mean. One panel at a time, so that the copy stays
/// small.
template <class Use>
void for_centred_panels(const std::vector<double>& mean, Index count, const double* x, Use use) {
  const auto inputs = static_cast<Index>(mean.size());
  const Index panel = 256;
  std::vector<double> centred(static_cast<std::size_t>(inputs * std::min(panel, count)));
  for (Index first = 0; first < count; first += panel) {
    const Index columns = std::min(panel, count - first);
    for (Index i = 0; i < columns; ++i)
      for (Index j = 0; j < inputs; ++j) centred[i * inputs + j] = x[(first + i) * inputs + j] - mean[j];
    use(first, columns, centred.data());
  }
}

/// Not collective. Writes this rank's rows of T(x − mean) to phi, for FeatureMap::apply.
void apply_transform(const Features& features, Index count, const double* x, double* phi);

/// The divisor of every input: its standard deviation, or, without `standardise`, the largest standard
/// deviation; 0 for an input that does not vary. Throws bad_input if an input cannot be scaled to 1.
[[nodiscard]] std::vector<double> input_scales(const ColumnStatistics& inputs, bool standardise);

}  // namespace model
}  // namespace poise
