#pragma once

#include "poise/base/process_grid.hpp"
#include "poise/objective/sample_set.hpp"

namespace poise {

/// The singular values of Φ (d x n) that bounds are made of, from its Gram matrix ΦΦᵀ. Squaring costs digits:
/// a σ below `cut` cannot be told from 0.
struct FeatureSpectrum {
  double largest = 0.0;
  double smallest = 0.0;  ///< nonzero one, σ_r of theory.md 5.2
  double cut = 0.0;       ///< σ up to this count as 0: (16 d ε)^½ σ_max
  Index rank = 0, width = 0;
  [[nodiscard]] double condition() const { return largest / smallest; }
};

/// Collective on the world. `width`: d, features with the constant. Forms ΦΦᵀ over all ranks and decomposes
/// it (ScaLAPACK, d³ work). Throws bad_input if Φ is zero, failure if it holds NaN or Inf.
[[nodiscard]] FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width,
                                               const SampleSet& samples);

}  // namespace poise
