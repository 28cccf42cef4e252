#include "poise/theory/metric_inverse.hpp"

#include <algorithm>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
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

// The residuals of a trust-region solve fall without limit; scaled, their squares never underflow.
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
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
  PetscInt iterations = 0;
  const char* text = nullptr;
  check(KSPGetConvergedReason(ksp_.get(), &reason));
  check(KSPGetConvergedReasonString(ksp_.get(), &text));
  check(KSPGetIterationNumber(ksp_.get(), &iterations));
  iterations_ += iterations;
  ++solves_;
  if (reason > 0) [[likely]]
    return;
  if (reason == KSP_DIVERGED_INDEFINITE_MAT)
    throw Error(ExitCode::failed,
                "G is not positive definite: delta = " + to_text(delta_) +
                    " is not below the largest one allowed, so no trust region is defined; take a smaller "
                    "share of it, or tighten -spec_newton_eps_tol",
                true);
  throw Error(ExitCode::failed,
              "the inner solve of the trust region's metric failed: " + std::string(text) + " after " +
                  std::to_string(iterations) +
                  " iterations; raise -tr_inner_ksp_max_it or loosen -tr_inner_ksp_rtol",
              true);
}

}  // namespace poise
