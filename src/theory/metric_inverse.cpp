#include "poise/theory/metric_inverse.hpp"

#include <algorithm>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/petsc/shell_preconditioner.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
namespace {

constexpr PetscInt max_iterations = 2000;

}  // namespace

MetricInverse::MetricInverse(NewtonOperators& operators, double rtol)
    : operators_(operators),
      pulled_back_(static_cast<std::size_t>(operators.local_size())),
      inner_(operators.comm(), operators.local_size(),
             [this](const double* x, double* y) {
               operators_.apply_pulled_back(x, pulled_back_.data());
               std::copy_n(x, operators_.local_size(), y);
               operators_.solve_outputs(y);
               for (std::size_t i = 0; i < pulled_back_.size(); ++i) y[i] -= delta_ * pulled_back_[i];
             }),
      weights_([this](const double* x, double* y) {
        std::copy_n(x, operators_.local_size(), y);
        operators_.multiply_outputs(y);
      }),
      rhs_(create_vec(operators.comm(), operators.local_size())),
      solution_(duplicate(rhs_.get())) {
  check(KSPCreate(operators.comm(), ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), "tr_inner_"));
  check(KSPSetOperators(ksp_.get(), inner_.get(), inner_.get()));
  check(KSPSetType(ksp_.get(), KSPCG));
  check(KSPSetNormType(ksp_.get(), KSP_NORM_NATURAL));
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  set_shell_preconditioner(pc, weights_);
  // No absolute tolerance: the residuals of a trust-region solve, which come here, fall without limit.
  check(KSPSetTolerances(ksp_.get(), rtol, 0.0, PETSC_DEFAULT, max_iterations));
  check(KSPSetFromOptions(ksp_.get()));
  check(KSPGetTolerances(ksp_.get(), &default_rtol_, nullptr, nullptr, nullptr));
}

void MetricInverse::set(double delta, double rtol) {
  delta_ = delta;
  iterations_ = 0;
  solves_ = 0;
  check(KSPSetTolerances(ksp_.get(), rtol, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
}

void MetricInverse::apply(const double* r, double* out) {
  {
    WriteArray rhs(rhs_.get());
    (void)operators_.model().solve(r, rhs.data());
  }
  check(KSPSolve(ksp_.get(), rhs_.get(), solution_.get()));
  require_converged();
  const ReadArray solution(solution_.get());
  (void)operators_.model().solve_transpose(solution.data(), out);
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
                "G is not positive definite: delta = " + std::to_string(delta_) +
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
