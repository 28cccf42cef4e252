#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/model/loss.hpp"

namespace poise {

/// The samples of this rank, ready for a model. Local on each rank; equal targets on the ranks of
/// grid.feature().
struct SampleSet {
  Index total = 0;                ///< n, samples on all ranks
  Index count = 0;                ///< samples of this rank
  std::vector<double> features;   ///< Φ: m_f x count, column-major
  std::vector<double> targets;    ///< Y: outputs x count, column-major
  std::vector<double> weights{};  ///< ω_i > 0 of each sample (-class_weight): count numbers; empty: all 1

  /// The weights from sample `first` on; null where all are 1.
  [[nodiscard]] const double* weights_from(Index first) const {
    return weights.empty() ? nullptr : weights.data() + first;
  }
};

/// What is minimised: L(A, B) = s Σ_i ω_i ℓ(f(x_i), y_i), s = 1 (sum) or 1/n (mean), option -loss_scale.
struct Problem {
  const Loss* loss = squared_loss();  ///< not owned; never null
  bool mean = true;
  Index outputs = 0;  ///< q
  SampleSet train;
  SampleSet test;  ///< may be empty
  /// Losses of the data are this times losses of the problem: σ² of the TargetScale.
  double loss_unit = 1.0;

  /// s for a set of n samples.
  [[nodiscard]] double scale(Index n) const { return mean && n > 0 ? 1.0 / static_cast<double>(n) : 1.0; }
};

/// Collective on the world. Adds up what the ranks with feature index 0 found; every rank gets the same sum.
[[nodiscard]] LossSum sum_over_samples(const ProcessGrid& grid, const LossSum& local);

}  // namespace poise
