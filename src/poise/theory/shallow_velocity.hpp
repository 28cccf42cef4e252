#pragma once

#include <petscvec.h>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/collapsed_model.hpp"

namespace poise {

/// Collective on the world. out = dWᵀ/dt (slice rows x q, column-major) along dθ/dt = −`gradient`, by the
/// chain rule through the softmax and W = B U⁻¹: dW/dt = (dB/dt + γ W dS/dt) U⁻¹, dS_{·k} = J_k dA_{·k}. It
/// knows nothing of D, whose equation THEORY.md 4.1 it therefore checks. `gradient` is ∇L(θ) as in
/// ParameterLayout at the θ of `model`. Throws failure if the solve failed.
void shallow_velocity(CollapsedModel& model, const ParameterLayout& layout, Vec gradient, double* out);

}  // namespace poise
