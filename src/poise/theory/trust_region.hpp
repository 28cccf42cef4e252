#pragma once

#include <string>
#include <vector>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/metric_inverse.hpp"
#include "poise/theory/newton_operators.hpp"

namespace poise {

/// min_v gᵀv + ½ vᵀHv with ‖v‖_G <= Δ, where H and G are of THEORY.md 6 and G needs δ = share δ̄.
struct TrustRegionProblem {
  double delta = 0.0;
  double share = 0.0;      ///< δ/δ̄, in (0, 1)
  Vec gradient = nullptr;  ///< g, of norm 1
  double radius = 0.0;     ///< Δ/δ
};

/// Its solution in the units that make the theorem's numbers 1.
struct TrustRegionStep {
  VecHandle direction;      ///< v/δ
  double multiplier = 0.0;  ///< δ times the multiplier of the constraint
  double residual = 0.0;  ///< ‖U⁻¹((H + λG)v + g)‖_M / ‖U⁻¹g‖_M with that multiplier λ, recomputed
  int iterations = 0;  ///< dimension of the Krylov space
};

/// Generalised Lanczos trust region (Gould, Lucidi, Roma and Toint, SIAM J. Optim. 9, 1999) by PETSc's
/// KSPGLTR, options prefix `tr_`. It measures v in the norm of the preconditioner, which is G here (it
/// applies G⁻¹, see MetricInverse). The DynamicsMatrix that is checked enters nowhere.
///
/// KSPGLTR (PETSc 3.18) follows the boundary only where it meets negative curvature; where H is
/// semi-definite, as that of a convex loss, it stops with the truncated step, which is not the solution. So
/// it is given H − σG with σ = 2/(δ̄ − δ) instead of H. On the boundary ‖v‖_G = Δ the two objectives differ by
/// the constant ½σΔ², so the solution on the boundary is the same and its multiplier is λ + σ. The
/// eigenvalues of H in the metric G are in [0, 1/(δ̄ − δ)], so H − σG is negative definite and the Lanczos
/// phase begins at once. A solution inside the region shows as a negative λ.
///
/// λ = 1/δ makes H + λG have condition number 1/(1 − share) in G, so the Krylov space that rounding can ask
/// for is known beforehand (18 dimensions for share = ½; twice that is the limit). The first has at most 20
/// dimensions; it is doubled where the residual asks for more. KSPGLTR reports its own failures as success
/// with the truncated step; the residual finds them.
class TrustRegionSolver {
 public:
  /// Collective. Both must outlive this object. `inverse.set` for the δ of a problem before `solve`.
  TrustRegionSolver(NewtonOperators& operators, MetricInverse& inverse);
  TrustRegionSolver(const TrustRegionSolver&) = delete;  // PETSc holds pointers to it
  TrustRegionSolver& operator=(const TrustRegionSolver&) = delete;

  /// Collective. Throws failure, with the residual and PETSc's reason, unless the residual is what the
  /// tolerance of the solves with G explains: 1000 of it, times 1/(1 − share).
  [[nodiscard]] TrustRegionStep solve(const TrustRegionProblem& problem);

 private:
  [[nodiscard]] KspHandle create(PetscInt dimension) const;
  bool solve_in_one_dimension(const TrustRegionProblem& problem, TrustRegionStep& step);
  void solve_by_lanczos(const TrustRegionProblem& problem, PetscInt dimension, TrustRegionStep& step);
  [[nodiscard]] double residual(const TrustRegionProblem& problem, const TrustRegionStep& step);
  [[nodiscard]] double pulled_back_norm(Vec r);

  NewtonOperators& operators_;
  MetricInverse& inverse_;
  double delta_ = 0.0;
  double shift_ = 0.0;  // δσ
  ShellOperator shifted_;
  LinearMap preconditioner_;
  VecHandle rhs_, work_;
  std::vector<double> first_, second_;
  std::string reason_;
};

}  // namespace poise
