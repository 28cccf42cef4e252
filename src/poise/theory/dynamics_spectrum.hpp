#pragma once

#include "poise/objective/collapsed_model.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {

/// Collective. λ_max(D) (THEORY.md 4) by Krylov-Schur on products with D; each needs q solves with U and with
/// Uᵀ (prefix collapsed_). `dynamics` is updated to the parameters of `model`. Prefix limit_lambda_ (EPS,
/// 1e-10). While W is small the top of D is a cluster of q eigenvalues: one of them is within the residual,
/// and the top itself is above the value by no more than the cluster is wide.
[[nodiscard]] SpectralValue largest_dynamics_eigenvalue(const DynamicsMatrix& dynamics,
                                                        CollapsedModel& model);

}  // namespace poise
