#include "poise/theory/trust_region.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// A Krylov space is exhausted where its next vector is only rounding.
constexpr double exhausted = 64.0 * epsilon;
/// Of the Krylov space, for the λ of the theorem.
constexpr double krylov_tolerance = 1e-13;
/// Dimension of the first Krylov space: a larger one only where the residual asks for it, because its last
/// vectors, from a residual that has long vanished, are rounding.
constexpr PetscInt first_dimension = 20;
/// Inexact solves with G leave a residual of some of their tolerances, times the condition number 1/(1 −
/// share): up to `usual` of them end the search, up to `most` are a solution.
constexpr double usual = 30.0;
constexpr double most = 1000.0;

/// Defaults of options that PETSc has no function for: in the database while they are read, unless the user
/// gave them.
class DefaultOption {
 public:
  DefaultOption(const char* prefix, const std::string& name, const std::string& value)
      : full_name_("-" + std::string(prefix) + name) {
    PetscBool given = PETSC_FALSE;
    check(PetscOptionsHasName(nullptr, prefix, ("-" + name).c_str(), &given));
    if (given) full_name_.clear();
    if (!given) check(PetscOptionsSetValue(nullptr, full_name_.c_str(), value.c_str()));
  }
  ~DefaultOption() {
    if (!full_name_.empty()) (void)PetscOptionsClearValue(nullptr, full_name_.c_str());
  }
  DefaultOption(const DefaultOption&) = delete;
  DefaultOption& operator=(const DefaultOption&) = delete;

 private:
  std::string full_name_;
};

/// Dimension k of a Krylov space whose error bound 2((√κ − 1)/(√κ + 1))^k is the tolerance, κ = 1/(1 −
/// share).
PetscInt krylov_dimension(double share, Index size) {
  const double root = std::sqrt(1.0 - share);
  const double rate = (1.0 - root) / (1.0 + root);
  const double steps = std::ceil(std::log(krylov_tolerance / 2.0) / std::log(rate));
  return static_cast<PetscInt>(std::min(std::max(2.0, steps), static_cast<double>(size)));
}

}  // namespace

TrustRegionSolver::TrustRegionSolver(NewtonOperators& operators, MetricInverse& inverse)
    : operators_(operators),
      inverse_(inverse),
      shifted_(operators.comm(), operators.local_size(),
               [this](const double* x, double* y) {  // δH − δσG = δ(1 + δσ)H − δσ D⁻¹
                 operators_.apply_hessian(x, first_.data());
                 operators_.apply_first_metric(x, y);
                 const double weight = delta_ * (1.0 + shift_);
                 for (std::size_t i = 0; i < first_.size(); ++i) y[i] = weight * first_[i] - shift_ * y[i];
               }),
      preconditioner_([this](const double* x, double* y) { inverse_.apply(x, y); }),
      rhs_(create_vec(operators.comm(), operators.local_size())),
      work_(duplicate(rhs_.get())),
      first_(static_cast<std::size_t>(operators.local_size())),
      second_(first_.size()) {
  (void)create(first_dimension);  // so that its options count as known before the first solve
}

KspHandle TrustRegionSolver::create(PetscInt dimension) const {
  const char* prefix = "tr_";
  // λ + σ is found, so that what rounding leaves of λ grows with the shift.
  const DefaultOption newton(prefix, "ksp_cg_gltr_newton_tol", to_text(exhausted * (1.0 + shift_)));
  const DefaultOption newton_steps(prefix, "ksp_cg_gltr_max_newton_its", "100");
  const DefaultOption eigenvalue(prefix, "ksp_cg_gltr_eigen_tol", "1e-13");
  const DefaultOption lanczos(prefix, "ksp_cg_gltr_max_lanczos_its", std::to_string(dimension - 1));
  KspHandle ksp;
  check(KSPCreate(operators_.comm(), ksp.out()));
  check(KSPSetOptionsPrefix(ksp.get(), prefix));
  check(KSPSetOperators(ksp.get(), shifted_.get(), shifted_.get()));
  check(KSPSetType(ksp.get(), KSPGLTR));
  check(KSPSetNormType(ksp.get(), KSP_NORM_NATURAL));
  PC pc = nullptr;
  check(KSPGetPC(ksp.get(), &pc));
  set_shell_preconditioner(pc, preconditioner_);
  set_from_options(ksp.get());
  return ksp;
}

TrustRegionStep TrustRegionSolver::solve(const TrustRegionProblem& problem) {
  static const LogEvent event("TrustRegion");
  const auto scope = event.begin();
  delta_ = problem.delta;
  shift_ = 2.0 * problem.share / (1.0 - problem.share);
  check(VecCopy(problem.gradient, rhs_.get()));
  check(VecScale(rhs_.get(), -1.0));
  const double tolerance = std::max(inverse_.rtol(), krylov_tolerance) / (1.0 - problem.share);
  const double largest = std::min(most * tolerance, 0.5);
  TrustRegionStep step;
  step.direction = duplicate(rhs_.get());
  if (solve_in_one_dimension(problem, step)) {
    step.residual = residual(problem, step);
  } else {
    const PetscInt enough = krylov_dimension(problem.share, operators_.size());
    const PetscInt most_dimensions = std::min(2 * enough, static_cast<PetscInt>(operators_.size()));
    for (PetscInt dimension = std::min(first_dimension, enough);;
         dimension = std::min(2 * dimension, most_dimensions)) {
      solve_by_lanczos(problem, dimension, step);
      step.residual = residual(problem, step);
      if (step.residual <= usual * tolerance || dimension == most_dimensions) break;
    }
  }
  if (!(step.residual <= largest))
    throw Error(ExitCode::failed,
                "the trust-region subproblem was not solved: its KKT residual is " + to_text(step.residual) +
                    ", not at most " + to_text(largest) + ", in a Krylov space of dimension " +
                    std::to_string(step.iterations) + " (KSP reason " + reason_ +
                    "); tighten -tr_inner_ksp_rtol, or raise -tr_ksp_cg_gltr_max_lanczos_its if it is given",
                true);
  return step;
}

// Where g is an eigenvector the Krylov space has one dimension, and KSPGLTR (3.18) would divide zero by zero.
// Then v is along p = −G⁻¹g: with A p = (pᵀAp / pᵀGp) G p, both its length and its multiplier follow.
bool TrustRegionSolver::solve_in_one_dimension(const TrustRegionProblem& problem, TrustRegionStep& step) {
  {
    const ReadArray b(rhs_.get());
    WriteArray p(step.direction.get());
    preconditioner_(b.data(), p.data());
  }
  double square = 0.0;
  double curvature = 0.0;
  double rest = 0.0;
  double size = 0.0;
  check(MatMult(shifted_.get(), step.direction.get(), work_.get()));
  check(VecDot(rhs_.get(), step.direction.get(), &square));
  check(VecDot(step.direction.get(), work_.get(), &curvature));
  check(VecAYPX(work_.get(), -square / curvature, rhs_.get()));
  check(VecNorm(work_.get(), NORM_2, &rest));
  check(VecNorm(rhs_.get(), NORM_2, &size));
  if (!(rest <= exhausted * size)) return false;
  const double length = std::sqrt(square);
  check(VecScale(step.direction.get(), problem.radius / length));
  step.multiplier = length / problem.radius - curvature / square - shift_;
  step.iterations = 1;
  reason_ = "none";
  return true;
}

void TrustRegionSolver::solve_by_lanczos(const TrustRegionProblem& problem, PetscInt dimension,
                                         TrustRegionStep& step) {
  const KspHandle ksp = create(dimension);
  check(KSPCGSetRadius(ksp.get(), problem.radius));
  check(KSPSolve(ksp.get(), rhs_.get(), step.direction.get()));
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
  const char* text = nullptr;
  PetscInt products = 0;
  check(KSPGetConvergedReason(ksp.get(), &reason));
  check(KSPGetConvergedReasonString(ksp.get(), &text));
  check(KSPGetIterationNumber(ksp.get(), &products));
  check(KSPGLTRGetLambda(ksp.get(), &step.multiplier));
  reason_ = text;
  step.multiplier -= shift_;
  step.iterations = static_cast<int>((products + 1) / 2);  // the basis is made twice, less its last vector
  if (reason != negative_curvature)
    throw Error(
        ExitCode::failed,
        "the trust-region solver stopped with " + reason_ +
            " where its matrix is negative definite by construction: the largest delta is not the one "
            "that was computed; tighten -spec_newton_eps_tol",
        true);
}

double TrustRegionSolver::pulled_back_norm(Vec r) {
  const ReadArray values(r);
  (void)operators_.model().solve(values.data(), first_.data());
  std::copy(first_.begin(), first_.end(), second_.begin());
  operators_.multiply_outputs(second_.data());
  double square = 0.0;
  for (std::size_t i = 0; i < first_.size(); ++i) square += first_[i] * second_[i];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, operators_.comm()));
  return std::sqrt(square);
}

double TrustRegionSolver::residual(const TrustRegionProblem& problem, const TrustRegionStep& step) {
  {
    const ReadArray v(step.direction.get());
    const ReadArray g(problem.gradient);
    WriteArray r(work_.get());
    operators_.apply_hessian(v.data(), first_.data());
    operators_.apply_metric(problem.delta, v.data(), second_.data());
    for (std::size_t i = 0; i < first_.size(); ++i)
      r[i] = problem.delta * first_[i] + step.multiplier * second_[i] + g[i];
  }
  return pulled_back_norm(work_.get()) / pulled_back_norm(problem.gradient);
}

}  // namespace poise
