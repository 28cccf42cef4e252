#pragma once

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {

/// How long a step of gradient descent θ⁺ = θ − η∇L(θ) may be for Theorem 1's rate, at one θ.
///
/// W moves by W⁺ = W − ηDG + O(η²‖∇L‖²), THEORY.md 4.1. Without the last term, the curvature of (A, B) → W,
/// the descent lemma for the β-smooth L₀ (β = `smoothness`) gives
///   L₀(W⁺) <= L₀ − η<G, DG> + ½βη²‖DG‖² <= L₀ − η(1 − ½ηβλ_max(D)) <G, DG>,
/// and with <G, DG> >= λ_min(D) ‖G‖² and ‖G‖² >= κ(L₀ − L*) (THEORY.md 5; Polyak 1963; Karimi, Nutini &
/// Schmidt 2016, theorem 1) the excess falls by `factor` a step, below 1 for every η < `guaranteed`.
///
/// Sharper, and exact to first order near the optimum (where G = 0 and so the term left out is 0): with H =
/// ∇²L₀(W) the error moves by I − ηDH, whose eigenvalues are 1 − ημ with μ those of D^½HD^½. Descent is
/// stable there if and only if η < `local`. For the squared loss H does not depend on W, and below
/// 1/curvature every error component falls at least as fast as along the flow, (1 − ημ)² <= exp(−2ημ).
///
/// Neither is a theorem about the run: the motion of D and the curvature of W along a step are not in it. The
/// check is to run: RateAudit on the points of a descent counts t = Σ η.
struct StepLimit {
  SpectralValue lambda;     ///< λ_max(D)
  SpectralValue stiffest;   ///< λ_max(D^½HD^½)
  double lambda_max = 0.0;  ///< λ_max(D)
  double smoothness = 0.0;  ///< β = s · Loss::largest_curvature · σ_max(Φ)²
  double curvature = 0.0;   ///< λ_max(D^½HD^½); at most βλ_max(D)
  double guaranteed = 0.0;  ///< 2/(βλ_max(D))
  double local = 0.0;       ///< 2/curvature; at least `guaranteed`, but for the eigensolvers' residuals

  /// What the excess is multiplied with in a step of η at most, where κ and λ_min(D) are known: 1 −
  /// ηκλ_min(1 − ½ηβλ_max). Says nothing for η >= `guaranteed`: it is then at least 1.
  [[nodiscard]] double factor(double eta, double kappa, double lambda_min) const {
    return 1.0 - eta * kappa * lambda_min * (1.0 - eta / guaranteed);
  }
};

/// Measures StepLimit. λ_max(D) (largest_dynamics_eigenvalue), σ_max(Φ)² and λ_max(D^½HD^½) are found by
/// EPS, prefixes `limit_lambda_`, `limit_features_` and `limit_curvature_`; the last one as that of F H Fᵀ
/// with D = FᵀF (DynamicsMatrix::apply_factor), which is symmetric and has the same nonzero eigenvalues. A
/// product costs q solves with U and q with Uᵀ (prefix `collapsed_`) and one Hessian product.
class StepLimitSolver {
 public:
  /// Collective on the world. All must outlive this object.
  StepLimitSolver(CollapsedModel& model, ShallowLoss& loss, const DynamicsMatrix& dynamics);

  /// Collective on the world. At the θ of the model; `dynamics` must have been updated there. Throws failure
  /// if an eigensolver does not converge or a solve with U fails.
  [[nodiscard]] StepLimit measure();

 private:
  [[nodiscard]] SpectralValue largest(const LinearMap& apply, const std::string& prefix,
                                      const std::string& quantity) const;

  CollapsedModel& model_;
  ShallowLoss& loss_;
  const DynamicsMatrix& dynamics_;
  LinearMap solve_, solve_transpose_;
  double smoothness_ = 0.0;  // of L₀, once measured
};

}  // namespace poise
