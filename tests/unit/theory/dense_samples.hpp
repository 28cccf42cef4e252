#pragma once

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "unit/theory/dense.hpp"

namespace poise::testing {

/// Dense features (m x n) and targets (q x n) as the samples of this rank.
inline SampleSet samples_of(const ParameterLayout& layout, const Dense& features, const Dense& targets) {
  const Range own = layout.grid().samples(features.cols);
  const Range rows = layout.block();
  SampleSet set{features.cols, own.size(), {}, {}};
  for (Index i = own.begin; i < own.end; ++i) {
    for (Index k = rows.begin; k < rows.end; ++k) set.features.push_back(features(k, i));
    for (Index c = 0; c < targets.rows; ++c) set.targets.push_back(targets(c, i));
  }
  return set;
}

}  // namespace poise::testing
