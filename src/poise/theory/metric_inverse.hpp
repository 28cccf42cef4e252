#pragma once

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/newton_operators.hpp"

namespace poise {

/// G⁻¹ of THEORY.md 6 by conjugate gradients on G = U M⁻¹ Uᵀ − δH, preconditioned by M: products with U, Uᵀ
/// and H alone. No solve with U, so none of what a product with D consists of. (The form U⁻ᵀ(M⁻¹ − δF)⁻¹U⁻¹
/// needs a third to two thirds of the iterations, but two solves with U in each: it took 1.3 to 9 times as
/// long at m = 64 and 1000.) Options prefix `tr_inner_` (KSP); the relative tolerance is of the residual's
/// norm in M.
class MetricInverse {
 public:
  /// Collective. `operators` must outlive this object. `rtol`: default of -tr_inner_ksp_rtol.
  MetricInverse(NewtonOperators& operators, double rtol);
  MetricInverse(const MetricInverse&) = delete;
  MetricInverse& operator=(const MetricInverse&) = delete;

  /// Not collective. What `apply` uses from now on; call on all ranks alike.
  void set(double delta, double rtol);
  [[nodiscard]] double rtol() const { return rtol_; }
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
  double rtol_ = 0.0;
  double default_rtol_ = 0.0;
  Index iterations_ = 0;
  Index solves_ = 0;
  ShellOperator metric_;
  LinearMap weights_;
  KspHandle ksp_;
  VecHandle rhs_, solution_;
};

}  // namespace poise
