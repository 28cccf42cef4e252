#include "poise/theory/trust_region_newton.hpp"

#include <fmt/format.h>
#include <petscvec.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Collective on the world. out = dWᵀ/dt (slice rows x q, column-major) along dθ/dt = −`gradient`, by the
/// chain rule through the softmax and W = B U⁻¹: dW/dt = (dB/dt + γ W dS/dt) U⁻¹, dS_{·k} = J_k dA_{·k}. It
/// does not use D, so that it checks the equation of D, THEORY.md 4.1. `gradient` is ∇L(θ) as in
/// ParameterLayout at the θ of `model`. Throws failure if the solve failed.
void shallow_velocity(CollapsedModel& model, const ParameterLayout& layout, Vec gradient, double* out) {
  const Index m = layout.width();
  const Index q = layout.outputs();
  const Index rows = layout.slice().size();
  const Index stride = layout.row_length();
  const RowBlockMatrix& s = model.softmax();
  const ReadArray values(gradient);

  std::vector<double> means(static_cast<std::size_t>(m));  // Σ_i S_ik (∂L/∂A)_ik
  for (Index i = 0; i < rows; ++i)
    for (Index k = 0; k < m; ++k)
      means[static_cast<std::size_t>(k)] += s.rows()[i * m + k] * values[i * stride + k];
  sum_over_ranks(s.comm(), means);

  std::vector<double> moved(static_cast<std::size_t>(m * q));  // column k, output c of W dS/dt at c m + k
  for (Index i = 0; i < rows; ++i)
    for (Index k = 0; k < m; ++k) {
      const double ds = -s.rows()[i * m + k] * (values[i * stride + k] - means[static_cast<std::size_t>(k)]);
      for (Index c = 0; c < q; ++c) moved[c * m + k] += model.w()[c * rows + i] * ds;
    }
  sum_over_ranks(s.comm(), moved);

  std::vector<double> rhs(static_cast<std::size_t>(rows * q));
  for (Index c = 0; c < q; ++c)
    for (Index k = 0; k < rows; ++k)
      rhs[c * rows + k] =
          -values[k * stride + m + c] + model.gamma() * moved[c * m + layout.slice().begin + k];
  (void)model.solve_transpose(rhs.data(), out);
}

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// A Krylov space is exhausted if its next vector is only rounding.
constexpr double exhausted = 64.0 * epsilon;
/// Tolerance of the Krylov space, for the λ of the theorem.
constexpr double krylov_tolerance = 1e-13;
/// Dimension of the first Krylov space. A larger space is used only if the residual is too large, because the
/// last vectors of a large space, made from a vanished residual, are rounding.
constexpr PetscInt first_dimension = 20;
/// Inexact solves with G leave a residual of several times their tolerance, times the condition number 1/(1 −
/// share): up to the factor `usual` the search ends, up to the factor `most` the step is a solution.
constexpr double usual = 30.0;
constexpr double most = 1000.0;

/// Default of an option that PETSc has no function for: it is in the options database while this object
/// lives, unless the user gave the option.
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

/// Dimension k of a Krylov space for which the error bound 2((√κ − 1)/(√κ + 1))^k is the tolerance, κ = 1/(1
/// − share).
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
  // The solver finds λ + σ, so that the rounding error of λ grows with the shift.
  const DefaultOption newton(prefix, "ksp_cg_gltr_newton_tol", to_text(exhausted * (1.0 + shift_)));
  const DefaultOption newton_steps(prefix, "ksp_cg_gltr_max_newton_its", "100");
  const DefaultOption eigenvalue(prefix, "ksp_cg_gltr_eigen_tol", "1e-13");
  const DefaultOption lanczos(prefix, "ksp_cg_gltr_max_lanczos_its", fmt::to_string(dimension - 1));
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
                fmt::format("the trust-region subproblem was not solved: its KKT residual is {}, above the "
                            "allowed {}, in a Krylov space of dimension {} (KSP reason {}); tighten "
                            "-tr_inner_ksp_rtol, or raise -tr_ksp_cg_gltr_max_lanczos_its if it is given",
                            to_text(step.residual), to_text(largest), step.iterations, reason_),
                true);
  return step;
}

// If g is an eigenvector, the Krylov space has one dimension and KSPGLTR (3.18) would divide zero by zero.
// Then v is along p = −G⁻¹g, and A p = (pᵀAp / pᵀGp) G p gives the length of v and its multiplier.
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
  const KspResult result = result_of(ksp.get());
  check(KSPGLTRGetLambda(ksp.get(), &step.multiplier));
  reason_ = result.text;
  step.multiplier -= shift_;
  step.iterations = static_cast<int>(
      (result.iterations + 1) / 2);  // the basis is computed twice, the second time without its last vector
  if (result.reason != negative_curvature)
    throw Error(
        ExitCode::failed,
        fmt::format("the trust-region solver stopped with {}, although its matrix must be negative definite: "
                    "the computed largest delta is wrong; tighten -spec_newton_eps_tol",
                    reason_),
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

namespace {

double distance(Vec x, Vec y, double scale) {
  const VecHandle difference = duplicate(x);
  double norm = 0.0;
  check(VecWAXPY(difference.get(), -1.0, y, x));
  check(VecNorm(difference.get(), NORM_2, &norm));
  return norm / scale;
}

}  // namespace

/// Everything that does not depend on the solution of the subproblem. g and the velocities are divided by
/// ‖g‖, so that a nearly converged run loses no digits.
struct TrustRegionNewtonCheck::Point {
  TrustRegionNewton measured;
  double share = 0.0;
  VecHandle gradient;
  VecHandle velocity;  ///< −D g
  double velocity_norm = 0.0;
  double radius = 0.0;  ///< ‖D g‖_G
};

double TrustRegionNewton::worst_error() const {
  double worst = direction_error;
  for (const double error : {radius_error, multiplier_error, velocity_error})
    if (!(error <= worst)) worst = error;  // a NaN is kept
  return worst;
}

TrustRegionNewtonCheck::TrustRegionNewtonCheck(CollapsedModel& model, ShallowLoss& loss,
                                               const DynamicsMatrix& dynamics, std::uint64_t seed,
                                               double inner_rtol)
    : dynamics_(dynamics),
      operators_(model, loss),
      radius_(operators_, seed),
      inverse_(operators_, inner_rtol),
      solver_(operators_, inverse_),
      image_(static_cast<std::size_t>(operators_.local_size())) {}

TrustRegionNewtonCheck::Point TrustRegionNewtonCheck::prepare(double share) {
  if (!(share > 0.0 && share < 1.0))
    throw Error(ExitCode::bad_input,
                "the trust region needs a share of the largest delta in (0, 1), not " + to_text(share), true);
  operators_.update();
  Point point;
  point.share = share;
  point.measured.proven = operators_.loss().layout().outputs() == 1;
  take_gradient(point);
  take_velocity(point);
  const NewtonRadius radius = radius_.solve();
  TrustRegionNewton& measured = point.measured;
  measured.delta_bar = radius.delta_bar;
  measured.delta = share * radius.delta_bar;
  measured.eigen_residual = radius.residual;
  measured.eigen_products = radius.products;
  point.radius = metric_norm(measured.delta, point.velocity.get());
  measured.radius = measured.delta * measured.gradient_norm * point.radius;
  return point;
}

void TrustRegionNewtonCheck::take_gradient(Point& point) {
  point.gradient = create_vec(operators_.comm(), operators_.local_size());
  {
    WriteArray g(point.gradient.get());
    (void)operators_.loss().value_and_gradient(operators_.model().w(), g.data());
  }
  require_finite(point.gradient.get(), "the gradient of the shallow loss");
  double& norm = point.measured.gradient_norm;
  check(VecNorm(point.gradient.get(), NORM_2, &norm));
  if (norm == 0.0)
    throw Error(ExitCode::bad_input,
                "the gradient of the shallow loss is zero: W is optimal, the trust-region step is zero and "
                "has no direction to compare; measure earlier in the run",
                true);
  check(VecScale(point.gradient.get(), 1.0 / norm));
}

// The velocity from D, and from the training gradient for comparison. Both are linear in g.
void TrustRegionNewtonCheck::take_velocity(Point& point) {
  CollapsedModel& model = operators_.model();
  const ParameterLayout& layout = operators_.loss().layout();
  point.velocity = duplicate(point.gradient.get());
  const VecHandle trained = duplicate(point.gradient.get());
  const VecHandle theta_gradient = layout.create();
  {
    const ReadArray g(point.gradient.get());
    WriteArray velocity(point.velocity.get());
    dynamics_.apply(
        g.data(), velocity.data(), [&](const double* b, double* x) { (void)model.solve(b, x); },
        [&](const double* b, double* x) { (void)model.solve_transpose(b, x); });
    for (double& value : velocity.span()) value = -value;
    (void)model.write_gradient(g.data(), theta_gradient.get());
    WriteArray other(trained.get());
    shallow_velocity(model, layout, theta_gradient.get(), other.data());
  }
  check(VecNorm(point.velocity.get(), NORM_2, &point.velocity_norm));
  point.measured.velocity_error = distance(trained.get(), point.velocity.get(), point.velocity_norm);
}

double TrustRegionNewtonCheck::metric_norm(double delta, Vec v) {
  const ReadArray values(v);
  operators_.apply_metric(delta, values.data(), image_.data());
  double square = 0.0;
  for (std::size_t i = 0; i < image_.size(); ++i) square += values[i] * image_[i];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, operators_.comm()));
  if (!(square > 0.0) || !std::isfinite(square))
    throw Error(
        ExitCode::failed,
        fmt::format("a step has the squared length {} in the metric of the trust region, which is then "
                    "not positive definite: the computed largest delta is wrong; tighten "
                    "-spec_newton_eps_tol",
                    to_text(square)),
        true);
  return std::sqrt(square);
}

TrustRegionNewton TrustRegionNewtonCheck::compare(const Point& point, double inner_rtol) {
  TrustRegionNewton result = point.measured;
  result.inner_tolerance = inner_rtol;
  inverse_.set(result.delta, inner_rtol);
  const TrustRegionStep step = solver_.solve({result.delta, point.share, point.gradient.get(), point.radius});
  result.multiplier = step.multiplier / result.delta;
  result.direction_error = distance(step.direction.get(), point.velocity.get(), point.velocity_norm);
  result.radius_error = std::abs(metric_norm(result.delta, step.direction.get()) / point.radius - 1.0);
  result.multiplier_error = std::abs(step.multiplier - 1.0);
  result.kkt_residual = step.residual;
  result.iterations = step.iterations;
  result.inner_iterations = inverse_.iterations();
  result.inner_solves = inverse_.solves();
  return result;
}

TrustRegionNewton TrustRegionNewtonCheck::measure(double share) {
  return compare(prepare(share), inverse_.default_rtol());
}

std::vector<TrustRegionNewton> TrustRegionNewtonCheck::measure(double share,
                                                               std::span<const double> inner_rtols) {
  for (const double rtol : inner_rtols)
    if (!(rtol > 0.0 && rtol < 1.0))
      throw Error(ExitCode::bad_input,
                  "the inner tolerance of a trust region must be in (0, 1), not " + to_text(rtol), true);
  const Point point = prepare(share);
  std::vector<TrustRegionNewton> results;
  for (const double rtol : inner_rtols) results.push_back(compare(point, rtol));
  return results;
}

}  // namespace theory
}  // namespace poise
