#pragma once

#include <string>

#include "poise/base/process_grid.hpp"

namespace poise {

/// The losses ℓ(f, y) of THEORY.md 5 (no factor ½ in the squared loss). Option -loss. `linear` is none to
/// train with: ℓ = yᵀf, so that the gradient of an objective is Jᵀ times the targets, J = ∂f/∂θ.
enum class LossKind { squared, logistic, cross_entropy, linear };

/// Of the option: not linear.
[[nodiscard]] LossKind parse_loss(const std::string& name);
[[nodiscard]] std::string to_string(LossKind kind);

/// Sums over a block of samples.
struct LossSum {
  double loss = 0.0;
  Index correct = 0;  ///< samples whose predicted class is the true one (meaningful for class targets)
};

/// Σ_i ω_i ℓ(f_i, y_i) and, if `gradient` is given, ω_i ∇ℓ_i in its column i (may be `f` itself). All blocks
/// are outputs x p, column-major. Targets: reals (squared, linear), one-hot columns (squared, cross_entropy),
/// 0 or 1 with one output (logistic). `weights`: the p numbers ω_i; null: all 1. Stable for every finite f;
/// NaN goes through. Not collective.
LossSum evaluate_loss(LossKind kind, Index outputs, Index p, const double* f, const double* targets,
                      double* gradient, const double* weights = nullptr);

/// Per sample the softmax of f (cross_entropy) or the probability 1/(1 + e^{-f}) (logistic), into its column
/// of `probabilities` (outputs x p, may be `f`): all that the curvature needs. Nothing for the squared loss.
/// Not collective.
void loss_probabilities(LossKind kind, Index outputs, Index p, const double* f, double* probabilities);
/// Column i of v (outputs x p) becomes ω_i ∇²ℓ_i v_i: 2 v, p(1 − p) v, or (diag(p) − p pᵀ) v, times ω_i.
/// `weights` as in evaluate_loss. Not collective.
void multiply_loss_curvature(LossKind kind, Index outputs, Index p, const double* probabilities, double* v,
                             const double* weights = nullptr);
/// The largest eigenvalue that ∇²ℓ can have anywhere: 2, 1/4 and 1/2. The smoothness of L₀ is s times it
/// times σ_max(Φ)².
[[nodiscard]] double largest_loss_curvature(LossKind kind);

}  // namespace poise
