#include "poise/theory/newton_metric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace theory {

NewtonOperators::NewtonOperators(CollapsedModel& model, ShallowLoss& loss)
    : model_(model),
      loss_(loss),
      metric_(model.softmax(), model.gamma(), loss.layout().outputs()),
      solved_(static_cast<std::size_t>(metric_.local_size())),
      curved_(solved_.size()) {}

void NewtonOperators::update() {
  metric_.update(model_.w());
  loss_.linearise(model_.w());
}

void NewtonOperators::apply_hessian(const double* v, double* out) {
  loss_.hessian_product(v, out);
}

void NewtonOperators::apply_pulled_back(const double* x, double* out) {
  (void)model_.solve_transpose(x, solved_.data());
  loss_.hessian_product(solved_.data(), curved_.data());
  (void)model_.solve(curved_.data(), out);
}

void NewtonOperators::apply_metric(double delta, const double* v, double* out) {
  loss_.hessian_product(v, curved_.data());
  metric_.apply_inverse(v, out);
  for (std::size_t i = 0; i < curved_.size(); ++i) out[i] -= delta * curved_[i];
}

namespace {

/// Basis of a restart cycle: every product costs two solves with U, so that the basis is large enough to
/// avoid most restarts.
constexpr Index basis = 24;
constexpr PetscInt restarts = 200;
/// Residual relative to the eigenvalue; the relative error of the eigenvalue is its square.
constexpr double default_tolerance = 1e-9;

}  // namespace

NewtonRadiusSolver::NewtonRadiusSolver(NewtonOperators& operators, std::uint64_t seed)
    : operators_(operators),
      seed_(seed),
      pulled_back_(operators.comm(), operators.local_size(),
                   [this](const double* x, double* y) {
                     ++products_;
                     operators_.apply_pulled_back(x, y);
                   }),
      inverse_weights_(operators.comm(), operators.local_size(),
                       [this](const double* x, double* y) {
                         std::copy_n(x, operators_.local_size(), y);
                         operators_.solve_outputs(y);
                       }),
      weights_([this](const double* x, double* y) {
        std::copy_n(x, operators_.local_size(), y);
        operators_.multiply_outputs(y);
      }),
      vector_(create_vec(operators.comm(), operators.local_size())) {
  create_eigensolver(operators.comm(), "spec_newton_", eps_.out());
  check(EPSSetOperators(eps_.get(), pulled_back_.get(), inverse_weights_.get()));
  check(EPSSetProblemType(eps_.get(), EPS_GHEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(operators.size(), basis)),
                         petsc_chosen));
  check(EPSSetTolerances(eps_.get(), default_tolerance, restarts));
  ST transform = nullptr;
  KSP ksp = nullptr;
  PC pc = nullptr;
  check(EPSGetST(eps_.get(), &transform));
  check(STGetKSP(transform, &ksp));
  check(KSPSetType(ksp, KSPPREONLY));
  check(KSPGetPC(ksp, &pc));
  set_shell_preconditioner(pc, weights_);
  set_from_options(eps_.get());
}

void NewtonRadiusSolver::set_random_start() {
  const CounterRandom random(seed_, Stream::eigenvector);
  const RowBlockMatrix& rows = operators_.model().softmax();
  const Index q = operators_.loss().layout().outputs();
  WriteArray out(vector_.get());
  for (Index c = 0; c < q; ++c)
    for (Index k = 0; k < rows.local_rows(); ++k)
      out[static_cast<std::size_t>(c * rows.local_rows() + k)] =
          random.normal(static_cast<std::uint64_t>(rows.row_begin() + k), static_cast<std::uint64_t>(c));
}

NewtonRadius NewtonRadiusSolver::solve() {
  static const LogEvent event("NewtonRadius");
  const auto scope = event.begin();
  products_ = 0;
  set_random_start();
  // F and M have changed inside their shells: setting the shells again makes EPS forget its last result.
  check(EPSSetOperators(eps_.get(), pulled_back_.get(), inverse_weights_.get()));
  const EigenRun run = solve_eigenproblem(eps_.get(), vector_.get(), 1, [](const EigenRun& failed) {
    return fmt::format(
        "the largest eigenvalue of the loss's curvature in the metric of the flow was not found: {} pairs "
        "converged in {} restarts (EPS reason {})",
        failed.pairs, failed.iterations, static_cast<int>(failed.reason));
  });
  NewtonRadius result;
  double lambda = 0.0;
  check(EPSGetEigenvalue(eps_.get(), 0, &lambda, nullptr));
  if (!(lambda > 0.0))
    throw Error(ExitCode::failed,
                fmt::format("the loss has no curvature here (the largest eigenvalue is {}), so that there is "
                            "no trust region: the features are zero or every output is saturated",
                            to_text(lambda)),
                true);
  check(EPSComputeError(eps_.get(), 0, EPS_ERROR_RELATIVE, &result.residual));
  result.delta_bar = 1.0 / lambda;
  result.iterations = run.iterations;
  result.products = products_;
  return result;
}

namespace {

constexpr PetscInt max_iterations = 10000;

}  // namespace

MetricInverse::MetricInverse(NewtonOperators& operators, double rtol)
    : operators_(operators),
      metric_(operators.comm(), operators.local_size(),
              [this](const double* x, double* y) { operators_.apply_metric(delta_, x, y); }),
      weights_([this](const double* x, double* y) {
        std::copy_n(x, operators_.local_size(), y);
        operators_.multiply_outputs(y);
      }),
      rhs_(create_vec(operators.comm(), operators.local_size())),
      solution_(duplicate(rhs_.get())) {
  check(KSPCreate(operators.comm(), ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), "tr_inner_"));
  check(KSPSetOperators(ksp_.get(), metric_.get(), metric_.get()));
  check(KSPSetType(ksp_.get(), KSPCG));
  check(KSPSetNormType(ksp_.get(), KSP_NORM_NATURAL));
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  set_shell_preconditioner(pc, weights_);
  check(KSPSetTolerances(ksp_.get(), rtol, 0.0, petsc_unchanged, max_iterations));
  set_from_options(ksp_.get());
  check(KSPGetTolerances(ksp_.get(), &default_rtol_, nullptr, nullptr, nullptr));
  rtol_ = default_rtol_;
}

void MetricInverse::set(double delta, double rtol) {
  delta_ = delta;
  rtol_ = rtol;
  iterations_ = 0;
  solves_ = 0;
  check(KSPSetTolerances(ksp_.get(), rtol, petsc_unchanged, petsc_unchanged, petsc_unchanged));
}

// The residuals of a trust-region solve become arbitrarily small. The right-hand side is normalised, so that
// their squares never underflow.
void MetricInverse::apply(const double* r, double* out) {
  {
    WriteArray rhs(rhs_.get());
    std::copy_n(r, operators_.local_size(), rhs.data());
  }
  double size = 0.0;
  check(VecNormalize(rhs_.get(), &size));
  check(KSPSolve(ksp_.get(), rhs_.get(), solution_.get()));
  require_converged();
  const ReadArray solution(solution_.get());
  for (std::size_t i = 0; i < solution.span().size(); ++i) out[i] = size * solution[i];
}

void MetricInverse::require_converged() {
  const KspResult result = result_of(ksp_.get());
  iterations_ += result.iterations;
  ++solves_;
  if (result.reason > 0) [[likely]]
    return;
  if (result.reason == KSP_DIVERGED_INDEFINITE_MAT)
    throw Error(
        ExitCode::failed,
        fmt::format("G is not positive definite: delta = {} is not below the largest allowed delta, so "
                    "that there is no trust region; use a smaller share of the largest delta, or "
                    "tighten -spec_newton_eps_tol",
                    to_text(delta_)),
        true);
  throw Error(
      ExitCode::failed,
      fmt::format("the solve with the metric of the trust region failed: {} after {} iterations; raise "
                  "-tr_inner_ksp_max_it or loosen -tr_inner_ksp_rtol",
                  result.text, result.iterations),
      true);
}

}  // namespace theory
}  // namespace poise
