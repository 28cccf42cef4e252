#pragma once

#include "poise/model/loss.hpp"

namespace poise {

/// A loss whose outputs are the scores of classes, ℓ = −log of the probability of the true class: what the
/// proof of THEORY.md 5.3 takes from it. No method is collective.
class ClassificationLoss : public Loss {
 public:
  [[nodiscard]] const ClassificationLoss* classification() const override { return this; }
  [[nodiscard]] bool has_curvature() const override { return true; }
  /// ‖p − y‖² <= 2 (1 − p_y)² <= 2 ℓ.
  [[nodiscard]] double gradient_bound() const override { return 2.0; }

  /// Throws bad_input where so many outputs make no classes.
  virtual void require_outputs(Index outputs) const = 0;
  /// Whether adding one number to all outputs of a sample changes nothing.
  [[nodiscard]] virtual bool shift_invariant() const = 0;
  /// How far apart the scores of one sample are; the curvature is bounded by it.
  [[nodiscard]] virtual double spread(Index outputs, const double* f) const = 0;
  /// ρ: no curvature vᵀ∇²ℓ v of a unit vector v (shift-invariant: with 1ᵀv = 0) is below it where the outputs
  /// have the spread. Throws bad_input as require_outputs.
  [[nodiscard]] virtual double smallest_curvature(Index outputs, double spread) const = 0;
  /// The same of one sample, from its probabilities (linearise).
  [[nodiscard]] virtual double curvature_at(Index outputs, const double* probabilities) const = 0;
  /// By how much the score of the true class exceeds every other; positive if the sample is classified right.
  [[nodiscard]] virtual double margin(Index outputs, const double* f, const double* target) const = 0;
  /// ℓ(f + d) − ℓ(f) − ∇ℓ(f)ᵀd of one sample whose probabilities at f are `p`, without cancellation; d
  /// becomes ∇ℓ(f + d) − ∇ℓ(f).
  virtual double bregman_divergence(Index outputs, const double* p, double* d) const = 0;
};

/// log Σ_c p_c e^{d_c} − pᵀd of one sample, to full relative accuracy however small d is. d_c becomes p'_c −
/// p_c, where p'_c ∝ p_c e^{d_c}: the difference of the probabilities. `p` sums to 1. Not collective.
double softmax_divergence(Index outputs, const double* p, double* d);

}  // namespace poise
