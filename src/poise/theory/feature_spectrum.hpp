#pragma once

#include "poise/base/process_grid.hpp"
#include "poise/objective/sample_set.hpp"

namespace poise {

/// The singular values of Φ (d x n) that bounds are made of.
struct FeatureSpectrum {
  double largest = 0.0;
  double smallest = 0.0;  ///< nonzero one, σ_r of THEORY.md 5.2
  double cut = 0.0;       ///< σ up to this count as 0: 8 d ε σ_max
  Index rank = 0, width = 0;
  [[nodiscard]] double condition() const { return largest / smallest; }
};

/// Collective on the world. `width`: d, features with the constant. Factorises Φ over all ranks and
/// decomposes the triangle (see FeatureSvd, which throws).
[[nodiscard]] FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width,
                                               const SampleSet& samples);

}  // namespace poise
