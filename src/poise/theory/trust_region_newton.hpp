#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/newton_metric.hpp"

namespace poise {
inline namespace theory {

/// min_v gᵀv + ½ vᵀHv with ‖v‖_G <= Δ, with H and G of THEORY.md 6, where G depends on δ = share δ̄.
struct TrustRegionProblem {
  double delta = 0.0;
  double share = 0.0;      ///< δ/δ̄, in (0, 1)
  Vec gradient = nullptr;  ///< g, of norm 1
  double radius = 0.0;     ///< Δ/δ
};

/// The solution of a TrustRegionProblem, scaled so that the multiplier of the theorem is 1.
struct TrustRegionStep {
  VecHandle direction;      ///< v/δ
  double multiplier = 0.0;  ///< δ times the multiplier of the constraint
  double residual = 0.0;  ///< ‖U⁻¹((H + λG)v + g)‖_M / ‖U⁻¹g‖_M with the multiplier λ, recomputed
  int iterations = 0;  ///< dimension of the Krylov space
};

/// Generalised Lanczos trust region (Gould, Lucidi, Roma and Toint, SIAM J. Optim. 9, 1999) by PETSc's
/// KSPGLTR, options prefix `tr_`. KSPGLTR measures v in the norm of the preconditioner, here G (MetricInverse
/// applies G⁻¹). The solver does not use the DynamicsMatrix that is checked.
///
/// KSPGLTR (PETSc 3.18) follows the boundary only after it has met negative curvature. If H is semi-definite,
/// as for a convex loss, it stops with the truncated step, which is not the solution. So it gets H − σG with
/// σ = 2/(δ̄ − δ) instead of H. On the boundary ‖v‖_G = Δ the two objectives differ by the constant ½σΔ², so
/// the solution on the boundary is the same and its multiplier is λ + σ. The eigenvalues of H in the metric G
/// are in [0, 1/(δ̄ − δ)], so H − σG is negative definite and the Lanczos phase begins at once. A negative λ
/// shows that the solution is inside the region.
///
/// For λ = 1/δ the matrix H + λG has the condition number 1/(1 − share) in G, so that the necessary dimension
/// of the Krylov space is known beforehand (18 for share = ½; the limit is twice this dimension). The first
/// space has at most 20 dimensions; the dimension is doubled if the residual is too large. KSPGLTR reports
/// some failures as success with the truncated step; the residual detects them.
class TrustRegionSolver {
 public:
  /// Collective. `operators` and `inverse` must outlive this object. Call `inverse.set` with the δ of the
  /// problem before `solve`.
  TrustRegionSolver(NewtonOperators& operators, MetricInverse& inverse);
  TrustRegionSolver(const TrustRegionSolver&) = delete;  // PETSc holds pointers to it
  TrustRegionSolver& operator=(const TrustRegionSolver&) = delete;

  /// Collective. Throws failure, with the residual and PETSc's reason, if the residual is above 1000/(1 −
  /// share) times the tolerance of the solves with G.
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

/// The differences between the flow and a trust-region Newton step of the shallow layer, at one point of a
/// run. All errors are 0 in exact arithmetic.
struct TrustRegionNewton {
  bool proven = false;            ///< q = 1, as Theorem 2 is stated
  double delta_bar = 0.0;         ///< δ̄ = 1/λ_max(F, M⁻¹)
  double delta = 0.0;             ///< share · δ̄
  double gradient_norm = 0.0;     ///< ‖∇L₀(W)‖
  double radius = 0.0;            ///< δ‖dW/dt‖_G with dW/dt = −D g
  double multiplier = 0.0;        ///< multiplier of the constraint; 1/δ
  double direction_error = 0.0;   ///< ‖v/δ + D g‖ / ‖D g‖
  double radius_error = 0.0;      ///< |‖v‖_G / (δ‖dW/dt‖_G) − 1|
  double multiplier_error = 0.0;  ///< |δ · multiplier − 1|
  double velocity_error = 0.0;  ///< ‖dW/dt + D g‖ / ‖D g‖ with dW/dt from the training gradient (4.1)
  double kkt_residual = 0.0;    ///< see TrustRegionStep
  double eigen_residual = 0.0;  ///< residual of δ̄, see NewtonRadius
  double inner_tolerance = 0.0;  ///< tolerance of the solves with G
  int iterations = 0;            ///< dimension of the trust-region solver's Krylov space
  Index inner_iterations = 0;    ///< iterations of all solves with G
  Index inner_solves = 0;
  Index eigen_products = 0;  ///< products with F for δ̄

  /// The largest of the four errors.
  [[nodiscard]] double worst_error() const;
};

/// Measures Theorem 2 (THEORY.md 6): at θ, dW/dt = v/δ where v solves
///   min_v gᵀv + ½ vᵀHv  s.t. ‖v‖_G <= δ‖dW/dt‖_G,   0 < δ < δ̄,
/// and the constraint is active with multiplier 1/δ. δ̄ comes from SLEPc (NewtonRadiusSolver), v from PETSc's
/// KSPGLTR (TrustRegionSolver, with products with U, H and M_k only), D g from the DynamicsMatrix that is
/// checked, and dW/dt from the training gradient (shallow_velocity), which uses neither D nor the M_k.
///
/// Proven and observed: the paper states the theorem for q = 1 (`proven`). For every q replace its S_t by M =
/// diag_k(M_k) (on blocks of Wᵀ, mq x mq): D = U⁻ᵀMU⁻¹ (THEORY.md 4.1), F = U⁻¹HU⁻ᵀ and G = U(M⁻¹ − δF)Uᵀ =
/// D⁻¹ − δH. Then
///   H + G/δ = D⁻¹/δ,  so  (H + G/δ)v = −g  has the one solution  v = −δDg = δ dW/dt,
/// which lies on the boundary because the radius is its length. H + G/δ is positive definite and 1/δ > 0:
/// these are the conditions for a minimiser in a trust region, and both hold strictly, so that it is the only
/// minimiser. And M⁻¹ − δF, hence G, is positive definite exactly for δ < δ̄. No step uses q = 1. For q > 1
/// this is our own derivation with the same algebra, checked by the same errors; it is not a statement of the
/// paper.
class TrustRegionNewtonCheck {
 public:
  /// Collective on the world. All arguments must outlive this object. `dynamics` is the D that is checked.
  /// `inner_rtol`: default of -tr_inner_ksp_rtol.
  TrustRegionNewtonCheck(CollapsedModel& model, ShallowLoss& loss, const DynamicsMatrix& dynamics,
                         std::uint64_t seed, double inner_rtol = 1e-13);

  /// Collective. Measures at the θ of `model.set_parameters`, after `dynamics.update` there. Throws bad_input
  /// unless 0 < share < 1, or if ∇L₀(W) is exactly zero (W is optimal: v = 0 and there is nothing to
  /// compare); throws failure if δ̄ is not found or the subproblem is not solved.
  [[nodiscard]] TrustRegionNewton measure(double share = 0.5);

  /// Collective. The same for every one of these relative tolerances of the solves with G, with the same δ̄,
  /// to show how the errors fall with the tolerance. Throws bad_input unless the tolerances are in (0, 1).
  [[nodiscard]] std::vector<TrustRegionNewton> measure(double share, std::span<const double> inner_rtols);

 private:
  struct Point;
  [[nodiscard]] Point prepare(double share);
  void take_gradient(Point& point);
  void take_velocity(Point& point);
  [[nodiscard]] TrustRegionNewton compare(const Point& point, double inner_rtol);
  [[nodiscard]] double metric_norm(double delta, Vec v);

  const DynamicsMatrix& dynamics_;
  NewtonOperators operators_;
  NewtonRadiusSolver radius_;
  MetricInverse inverse_;
  TrustRegionSolver solver_;
  std::vector<double> image_;
};

}  // namespace theory
}  // namespace poise
