#pragma once

#include <cstdint>
#include <vector>

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/dynamics_matrix.hpp"

namespace poise {
inline namespace theory {

/// The matrices of THEORY.md 6 at the W of a softmax-linear model, never formed. All act on blocks of Wᵀ
/// (slice rows x q, column-major, as in DynamicsMatrix), where a product with U from the right in the theory
/// becomes a product with Uᵀ from the left. With M = diag_k(M_k), THEORY.md 4.3 (at q = 1: S_t):
///   H = ∇²L₀(W),   F = U⁻¹ H U⁻ᵀ,   D⁻¹ = U M⁻¹ Uᵀ,   G = U (M⁻¹ − δF) Uᵀ = D⁻¹ − δH.
/// M comes from a separate DynamicsMatrix, computed from the model's γ, S and W, so that nothing here depends
/// on the D that is checked.
class NewtonOperators {
 public:
  /// Collective on the world. `model` and `loss` must outlive this object.
  NewtonOperators(CollapsedModel& model, ShallowLoss& loss);

  /// Collective. Takes W, S and the curvature of the loss at the current θ of the model. Throws failure if
  /// they hold NaN or Inf.
  void update();

  /// Collective. out = H v; v and out may be the same.
  void apply_hessian(const double* v, double* out);
  /// Collective. out = F x: one solve with U and one solve with Uᵀ (prefix `collapsed_`); x and out may be
  /// the same.
  void apply_pulled_back(const double* x, double* out);
  /// Collective. out = D⁻¹ v without a solve.
  void apply_first_metric(const double* v, double* out) const { metric_.apply_inverse(v, out); }
  /// Collective. out = G v = D⁻¹ v − δ H v without a solve; v and out must differ.
  void apply_metric(double delta, const double* v, double* out);
  /// Not collective. x = M x and x = M⁻¹ x.
  void multiply_outputs(double* x) const { metric_.multiply_outputs(x); }
  void solve_outputs(double* x) const { metric_.solve_outputs(x); }

  [[nodiscard]] CollapsedModel& model() { return model_; }
  [[nodiscard]] ShallowLoss& loss() { return loss_; }
  [[nodiscard]] MPI_Comm comm() const { return metric_.comm(); }
  /// Entries of a block: on this rank, and on all ranks.
  [[nodiscard]] Index local_size() const { return metric_.local_size(); }
  [[nodiscard]] Index size() const { return metric_.width() * metric_.outputs(); }

 private:
  CollapsedModel& model_;
  ShallowLoss& loss_;
  DynamicsMatrix metric_;
  std::vector<double> solved_, curved_;
};

/// δ̄ with the outcome of the solve that found it.
struct NewtonRadius {
  double delta_bar = 0.0;  ///< 1 / λ_max(F, M⁻¹)
  double residual = 0.0;   ///< ‖F x − λ M⁻¹ x‖₂ / (λ ‖x‖₂), recomputed, not estimated
  int iterations = 0;      ///< restarts of the eigensolver
  Index products = 0;      ///< products with F
};

/// δ̄ = 1/λ_max(F, M⁻¹) of THEORY.md 6: F x = λ M⁻¹ x as a generalised Hermitian problem of SLEPc
/// (Krylov-Schur in the inner product of M⁻¹, whose inverse M is applied exactly). All options of EPS have
/// the prefix `spec_newton_`. Ritz values approach λ_max from below, so that an inexact δ̄ is too large, by a
/// relative error of residual² (1e-18 at the default tolerance of 1e-9).
class NewtonRadiusSolver {
 public:
  /// Collective. `operators` must outlive this object; `update` them before `solve`.
  NewtonRadiusSolver(NewtonOperators& operators, std::uint64_t seed);
  NewtonRadiusSolver(const NewtonRadiusSolver&) = delete;
  NewtonRadiusSolver& operator=(const NewtonRadiusSolver&) = delete;

  /// Collective. Throws failure if no pair converged, or if the curvature of the loss is zero (then δ has no
  /// upper bound).
  [[nodiscard]] NewtonRadius solve();

 private:
  void set_random_start();

  NewtonOperators& operators_;
  std::uint64_t seed_;
  Index products_ = 0;
  ShellOperator pulled_back_, inverse_weights_;
  LinearMap weights_;
  EpsHandle eps_;
  VecHandle vector_;
};

/// G⁻¹ of THEORY.md 6 by conjugate gradients on G = U M⁻¹ Uᵀ − δH, preconditioned by M: it uses products with
/// U, Uᵀ and H alone. It needs no solve with U, so that it shares nothing with a product with D. (The form
/// U⁻ᵀ(M⁻¹ − δF)⁻¹U⁻¹ needs a third to two thirds of the iterations, but two solves with U per iteration: it
/// took 1.3 to 9 times as long at m = 64 and 1000.) Options prefix `tr_inner_` (KSP); the relative tolerance
/// is for the norm of the residual in M.
class MetricInverse {
 public:
  /// Collective. `operators` must outlive this object. `rtol`: default of -tr_inner_ksp_rtol.
  MetricInverse(NewtonOperators& operators, double rtol);
  MetricInverse(const MetricInverse&) = delete;
  MetricInverse& operator=(const MetricInverse&) = delete;

  /// Not collective. Sets δ and the tolerance of every later `apply`; call it with the same numbers on all
  /// ranks.
  void set(double delta, double rtol);
  [[nodiscard]] double rtol() const { return rtol_; }
  /// The tolerance from the options.
  [[nodiscard]] double default_rtol() const { return default_rtol_; }

  /// Collective. out = G⁻¹ r. Throws failure if the solve did not converge; the message says so if the cause
  /// is that G is not positive definite (δ is not below δ̄).
  void apply(const double* r, double* out);

  /// Iterations of the conjugate gradients since `set`, and the number of their solves.
  [[nodiscard]] Index iterations() const { return iterations_; }
  [[nodiscard]] Index solves() const { return solves_; }

 private:
  void require_converged();

  NewtonOperators& operators_;
  double delta_ = 0.0;
  double rtol_ = 0.0;
  double default_rtol_ = 0.0;
  Index iterations_ = 0;
  Index solves_ = 0;
  ShellOperator metric_;
  LinearMap weights_;
  KspHandle ksp_;
  VecHandle rhs_, solution_;
};

}  // namespace theory
}  // namespace poise
