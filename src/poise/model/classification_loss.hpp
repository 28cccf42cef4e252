#pragma once

#include "poise/model/loss.hpp"

namespace poise {
inline namespace model {

/// A loss whose outputs are the scores of classes, ℓ = −log of the probability of the true class. The
/// functions below are what the proof of THEORY.md 5.3 needs. No method is collective.
class ClassificationLoss : public Loss {
 public:
  [[nodiscard]] const ClassificationLoss* classification() const override { return this; }
  [[nodiscard]] bool has_curvature() const override { return true; }
  /// ‖p − y‖² <= 2 (1 − p_y)² <= 2 ℓ.
  [[nodiscard]] double gradient_bound() const override { return 2.0; }

  /// Throws bad_input if the loss cannot have this number of outputs.
  virtual void require_outputs(Index outputs) const = 0;
  /// Whether adding one number to all outputs of a sample changes nothing.
  [[nodiscard]] virtual bool shift_invariant() const = 0;
  /// How far apart the scores of one sample are; the lower bound of the curvature depends on this spread.
  [[nodiscard]] virtual double spread(Index outputs, const double* f) const = 0;
  /// ρ, a lower bound of the curvature vᵀ∇²ℓ v for every unit vector v (with 1ᵀv = 0 if the loss is
  /// shift-invariant) where the outputs have this spread. Throws bad_input as require_outputs does.
  [[nodiscard]] virtual double smallest_curvature(Index outputs, double spread) const = 0;
  /// The same bound for one sample, from its probabilities (see linearise).
  [[nodiscard]] virtual double curvature_at(Index outputs, const double* probabilities) const = 0;
  /// By how much the score of the true class exceeds every other score; positive if the sample is classified
  /// right.
  [[nodiscard]] virtual double margin(Index outputs, const double* f, const double* target) const = 0;
  /// ℓ(f + d) − ℓ(f) − ∇ℓ(f)ᵀd of one sample whose probabilities at f are `p`, computed without cancellation;
  /// d becomes ∇ℓ(f + d) − ∇ℓ(f).
  virtual double bregman_divergence(Index outputs, const double* p, double* d) const = 0;
};

/// log Σ_c p_c e^{d_c} − pᵀd of one sample, to full relative accuracy however small d is. d_c becomes p'_c −
/// p_c, where p'_c ∝ p_c e^{d_c}: the difference of the probabilities. `p` sums to 1. Not collective.
double softmax_divergence(Index outputs, const double* p, double* d);

}  // namespace model
}  // namespace poise
