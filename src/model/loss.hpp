#pragma once

#include <string>

#include "poise/base/process_grid.hpp"

namespace poise {

/// The losses ℓ(f, y) of theory.md 5 (no factor ½ in the squared loss). Option -loss. `linear` is none to
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

/// Σ_i ℓ(f_i, y_i) and, if `gradient` is given, ∇ℓ_i in its column i (may be `f` itself). All blocks are
/// outputs x p, column-major. Targets: reals (squared, linear), one-hot columns (squared, cross_entropy), 0
/// or 1 with one output (logistic). Stable for every finite f; NaN goes through. Not collective.
LossSum evaluate_loss(LossKind kind, Index outputs, Index p, const double* f, const double* targets,
                      double* gradient);

}  // namespace poise
