#pragma once

#include <cstdint>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/newton_operators.hpp"

namespace poise {

/// δ̄ with the outcome of the solve that found it.
struct NewtonRadius {
  double delta_bar = 0.0;  ///< 1 / λ_max(F, M⁻¹)
  double residual = 0.0;   ///< ‖F x − λ M⁻¹ x‖₂ / (λ ‖x‖₂), recomputed, not estimated
  int iterations = 0;      ///< restarts of the eigensolver
  Index products = 0;      ///< products with F
};

/// δ̄ = 1/λ_max(F, M⁻¹) of THEORY.md 6: F x = λ M⁻¹ x as a generalised Hermitian problem of SLEPc
/// (Krylov-Schur; the inner product of M⁻¹, whose inverse M is applied exactly). All of EPS's options under
/// the prefix `spec_newton_`. Ritz values come from below, so a δ̄ that is not exact is too large, by
/// residual² of its own size (1e-18 at the default tolerance of 1e-9).
class NewtonRadiusSolver {
 public:
  /// Collective. `operators` must outlive this object; `update` them before `solve`.
  NewtonRadiusSolver(NewtonOperators& operators, std::uint64_t seed);
  NewtonRadiusSolver(const NewtonRadiusSolver&) = delete;
  NewtonRadiusSolver& operator=(const NewtonRadiusSolver&) = delete;

  /// Collective. Throws failure if no pair converged, with the number that did, or if the curvature of the
  /// loss is zero (then no δ̄ bounds δ).
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

}  // namespace poise
