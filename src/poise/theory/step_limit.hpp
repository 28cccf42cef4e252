#pragma once

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {
inline namespace theory {

/// The largest step sizes of gradient descent θ⁺ = θ − η∇L(θ) that keep the rate of Theorem 1, at one θ.
///
/// W moves by W⁺ = W − ηDG + O(η²‖∇L‖²), THEORY.md 4.1. Without the last term, the curvature of (A, B) → W,
/// the descent lemma for the β-smooth L₀ (β = `smoothness`) gives
///   L₀(W⁺) <= L₀ − η<G, DG> + ½βη²‖DG‖² <= L₀ − η(1 − ½ηβλ_max(D)) <G, DG>,
/// and with <G, DG> >= λ_min(D) ‖G‖² and ‖G‖² >= κ(L₀ − L*) (THEORY.md 5; Polyak 1963; Karimi, Nutini &
/// Schmidt 2016, theorem 1) the excess is multiplied by at most `factor` per step, which is below 1 for every
/// η < `guaranteed`.
///
/// A sharper limit is exact to first order near the optimum, where G = 0 and the omitted term is 0: with H =
/// ∇²L₀(W) a step multiplies the error by I − ηDH, whose eigenvalues are 1 − ημ with the eigenvalues μ of
/// D^½HD^½. There descent is stable if and only if η < `local`. For the squared loss H does not depend on W,
/// and for η below 1/curvature every component of the error falls at least as fast as along the flow, (1 −
/// ημ)² <= exp(−2ημ).
///
/// Neither limit is a theorem about the run: both omit the change of D and the curvature of W along a step. A
/// run is checked by a RateAudit of its points, with t = Σ η.
struct StepLimit {
  SpectralValue lambda;     ///< λ_max(D)
  SpectralValue stiffest;   ///< λ_max(D^½HD^½)
  double lambda_max = 0.0;  ///< λ_max(D)
  double smoothness = 0.0;  ///< β = s · Loss::largest_curvature · σ_max(Φ)²
  double curvature = 0.0;   ///< λ_max(D^½HD^½); at most βλ_max(D)
  double guaranteed = 0.0;  ///< 2/(βλ_max(D))
  double local = 0.0;       ///< 2/curvature; at least `guaranteed`, up to the eigensolvers' residuals

  /// Upper bound of the factor of the excess in a step of size η, for known κ and λ_min(D): 1 − ηκλ_min(1 −
  /// ½ηβλ_max). For η >= `guaranteed` it is at least 1 and says nothing.
  [[nodiscard]] double factor(double eta, double kappa, double lambda_min) const {
    return 1.0 - eta * kappa * lambda_min * (1.0 - eta / guaranteed);
  }
};

/// Measures StepLimit. λ_max(D) (largest_dynamics_eigenvalue), σ_max(Φ)² and λ_max(D^½HD^½) are found by EPS,
/// prefixes `limit_lambda_`, `limit_features_` and `limit_curvature_`; λ_max(D^½HD^½) is found as λ_max(F H
/// Fᵀ) with D = FᵀF (DynamicsMatrix::apply_factor): F H Fᵀ is symmetric and has the same nonzero eigenvalues.
/// A product costs q solves with U, q solves with Uᵀ (prefix `collapsed_`) and one Hessian product.
class StepLimitSolver {
 public:
  /// Collective on the world. All arguments must outlive this object.
  StepLimitSolver(CollapsedModel& model, ShallowLoss& loss, const DynamicsMatrix& dynamics);

  /// Collective on the world. Measures at the θ of the model; `dynamics` must have been updated at this θ.
  /// Throws failure if an eigensolver does not converge or a solve with U fails.
  [[nodiscard]] StepLimit measure();

 private:
  [[nodiscard]] SpectralValue largest(const LinearMap& apply, const std::string& prefix,
                                      const std::string& quantity) const;

  CollapsedModel& model_;
  ShallowLoss& loss_;
  const DynamicsMatrix& dynamics_;
  LinearMap solve_, solve_transpose_;
  double smoothness_ = 0.0;  // β of L₀, after the first measurement
};

}  // namespace theory
}  // namespace poise
