#pragma once

#include <vector>

#include "poise/run/training_data.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// What the paths of W are measured against. Matrices are q x m, column-major, on every rank.
struct CompareReference {
  std::vector<double> min_norm;              ///< W* = Y Φ⁺; squared loss, else empty
  std::vector<std::vector<double>> nearest;  ///< of every seed W* + W0(I − ΦΦ⁺), where the shallow flow ends
  Index rank = 0;                            ///< of Φ; squared loss, else 0
  double optimal_loss = 0.0;                 ///< L*; squared loss
  std::vector<double> teacher;               ///< in the features; empty where there is none
};

/// Collective on the world of the grid. Also makes each solver once, so that misspelt options are known.
[[nodiscard]] CompareReference make_reference(const ProcessGrid& grid, const TrainingData& data,
                                              const CompareSettings& settings);

/// Not collective. The teacher as weights of the features: on linear features (identity, whiten) the W whose
/// W φ(x) is teacher x, nearest to it in least squares where features leave directions out. Empty where the
/// data have no teacher, the features are not linear, or the loss has another number of outputs.
[[nodiscard]] std::vector<double> teacher_in_features(const Features& features, Index outputs,
                                                      const std::vector<double>& teacher);

}  // namespace poise::compare
