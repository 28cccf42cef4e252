#pragma once

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/newton_operators.hpp"

namespace poise {

/// G⁻¹ = U⁻ᵀ (M⁻¹ − δF)⁻¹ U⁻¹ of theory.md 6: two solves with U and, between them, conjugate gradients on M⁻¹
/// − δF preconditioned by M. Its condition number is at most 1/(1 − δ/δ̄), so that few iterations do. Options
/// prefix `tr_inner_` (KSP); the relative tolerance is of the residual's norm in M.
class MetricInverse {
 public:
  /// Collective. `operators` must outlive this object. `rtol`: default of -tr_inner_ksp_rtol.
  MetricInverse(NewtonOperators& operators, double rtol);
  MetricInverse(const MetricInverse&) = delete;
  MetricInverse& operator=(const MetricInverse&) = delete;

  /// Not collective. What `apply` uses from now on; call on all ranks alike.
  void set(double delta, double rtol);
  /// What the options chose.
  [[nodiscard]] double default_rtol() const { return default_rtol_; }

  /// Collective. out = G⁻¹ r. Throws failure if the solve did not converge; with the words that G is not
  /// positive definite if that is why (δ is not below δ̄).
  void apply(const double* r, double* out);

  /// Iterations of the conjugate gradients since `set`, and how many solves they belong to.
  [[nodiscard]] Index iterations() const { return iterations_; }
  [[nodiscard]] Index solves() const { return solves_; }

 private:
  void require_converged();

  NewtonOperators& operators_;
  double delta_ = 0.0;
  double default_rtol_ = 0.0;
  Index iterations_ = 0;
  Index solves_ = 0;
  std::vector<double> pulled_back_;
  ShellOperator inner_;
  LinearMap weights_;
  KspHandle ksp_;
  VecHandle rhs_, solution_;
};

}  // namespace poise
