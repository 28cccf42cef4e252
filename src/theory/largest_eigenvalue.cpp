#include "poise/theory/largest_eigenvalue.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
namespace {

constexpr Index basis = 24;
constexpr PetscInt restarts = 1000;
/// Residual, relative to the eigenvalue.
constexpr double default_tolerance = 1e-8;

}  // namespace

LargestEigensolver::LargestEigensolver(const DynamicsMatrix& shape, const LinearMap& apply, std::string what,
                                       const std::string& prefix, std::uint64_t seed)
    : shape_(shape),
      what_(std::move(what)),
      prefix_(prefix),
      seed_(seed),
      operator_(shape.comm(), shape.local_size(),
                [this, apply](const double* x, double* y) {
                  ++products_;
                  apply(x, y);
                }),
      vector_(create_vec(shape.comm(), shape.local_size())) {
  check(EPSCreate(shape.comm(), eps_.out()));
  check(EPSSetOptionsPrefix(eps_.get(), prefix.c_str()));
  check(EPSSetOperators(eps_.get(), operator_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  const Index size = shape.width() * shape.outputs();
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(size, basis)), PETSC_DEFAULT));
  check(EPSSetTolerances(eps_.get(), default_tolerance, restarts));
  check(EPSSetFromOptions(eps_.get()));
}

void LargestEigensolver::set_start() {
  const CounterRandom random(seed_, Stream::eigenvector);
  const Index rows = shape_.local_rows();
  WriteArray out(vector_.get());
  for (Index c = 0; c < shape_.outputs(); ++c)
    for (Index k = 0; k < rows; ++k)
      out[static_cast<std::size_t>(c * rows + k)] =
          random.normal(static_cast<std::uint64_t>(shape_.row_begin() + k), static_cast<std::uint64_t>(c));
}

LargestEigenvalue LargestEigensolver::solve() {
  static const LogEvent event("LargestEigen");
  const auto scope = event.begin();
  products_ = 0;
  set_start();
  // The operator changed behind the shell: setting it again makes EPS forget what it found.
  check(EPSSetOperators(eps_.get(), operator_.get(), nullptr));
  Vec start = vector_.get();
  check(EPSSetInitialSpace(eps_.get(), 1, &start));
  check(EPSSolve(eps_.get()));
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  PetscInt pairs = 0;
  PetscInt iterations = 0;
  check(EPSGetConvergedReason(eps_.get(), &reason));
  check(EPSGetConverged(eps_.get(), &pairs));
  check(EPSGetIterationNumber(eps_.get(), &iterations));
  if (reason <= 0 || pairs < 1)
    throw Error(ExitCode::failed,
                what_ + " was not found: " + std::to_string(pairs) + " pairs converged in " +
                    std::to_string(iterations) + " restarts (EPS reason " +
                    std::to_string(static_cast<int>(reason)) + "); raise -" + prefix_ + "eps_max_it or -" +
                    prefix_ + "eps_ncv, or loosen -" + prefix_ + "eps_tol",
                true);
  LargestEigenvalue result;
  check(EPSGetEigenpair(eps_.get(), 0, &result.value, nullptr, start, nullptr));
  check(EPSComputeError(eps_.get(), 0, EPS_ERROR_ABSOLUTE, &result.residual));
  if (!std::isfinite(result.value) || !std::isfinite(result.residual))
    throw Error(ExitCode::failed, what_ + " is not a finite number: the parameters hold NaN or Inf", true);
  result.iterations = static_cast<int>(iterations);
  result.products = products_;
  result.reason = static_cast<int>(reason);
  return result;
}

}  // namespace poise
