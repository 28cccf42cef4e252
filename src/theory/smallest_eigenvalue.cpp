#include "poise/theory/smallest_eigenvalue.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/symmetric_eigen.hpp"

namespace poise {
namespace {

/// Basis of a restart cycle. Each solve costs at least this many products; larger bases need no fewer in all.
constexpr Index basis = 16;
/// Share of the basis that a restart keeps: the more, the sooner the next test of convergence.
constexpr double kept = 0.8;
/// Residual, relative to the eigenvalue.
constexpr double default_tolerance = 1e-7;
/// Enough for the state vector of the top, all that `best_product` takes from a first solve.
constexpr double rough_tolerance = 1e-2;

}  // namespace

SmallestEigensolver::SmallestEigensolver(const DynamicsMatrix& dynamics, std::uint64_t seed)
    : dynamics_(dynamics),
      seed_(seed),
      inverse_(dynamics.comm(), dynamics.local_size(),
               [this](const double* x, double* y) {
                 ++products_;
                 dynamics_.apply_inverse(x, y);
               }),
      vector_(create_vec(dynamics.comm(), dynamics.local_size())) {
  check(EPSCreate(dynamics.comm(), eps_.out()));
  check(EPSSetOptionsPrefix(eps_.get(), "spec_"));
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  const Index size = dynamics.width() * dynamics.outputs();
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(size, basis)), PETSC_DEFAULT));
  check(EPSKrylovSchurSetRestart(eps_.get(), kept));
  check(EPSSetTolerances(eps_.get(), default_tolerance, PETSC_DEFAULT));
  check(EPSSetFromOptions(eps_.get()));
  check(EPSGetTolerances(eps_.get(), &tolerance_, &max_restarts_));
}

void SmallestEigensolver::set_eigenvector(std::span<const double> block) {
  if (!block.empty() && static_cast<Index>(block.size()) != dynamics_.local_size())
    throw bad_input("the stored eigenvector has " + std::to_string(block.size()) + " entries, not the " +
                    std::to_string(dynamics_.local_size()) + " of this rank: it belongs to another model");
  eigenvector_.assign(block.begin(), block.end());
}

void SmallestEigensolver::set_random_start() {
  const CounterRandom random(seed_, Stream::eigenvector);
  WriteArray out(vector_.get());
  std::size_t i = 0;
  for (Index c = 0; c < dynamics_.outputs(); ++c)
    for (Index k = 0; k < dynamics_.local_rows(); ++k)
      out[i++] =
          random.normal(static_cast<std::uint64_t>(dynamics_.row_begin() + k), static_cast<std::uint64_t>(c));
}

void SmallestEigensolver::improve_start() {
  VecHandle product = duplicate(vector_.get());
  {
    const ReadArray in(vector_.get());
    WriteArray out(product.get());
    dynamics_.best_product(in.data(), out.data());
  }
  // Rayleigh-Ritz on the span of the two.
  Vec x = vector_.get();
  Vec y = product.get();
  check(VecNormalize(x, nullptr));
  double overlap = 0.0;
  double distance = 0.0;
  check(VecDot(x, y, &overlap));
  check(VecAXPY(y, -overlap, x));
  check(VecNormalize(y, &distance));
  if (distance < 1e-10) return;
  VecHandle image = duplicate(x);
  std::vector<double> quotient(4);
  check(MatMult(inverse_.get(), x, image.get()));
  check(VecDot(x, image.get(), &quotient[0]));
  check(VecDot(y, image.get(), &quotient[1]));
  check(MatMult(inverse_.get(), y, image.get()));
  check(VecDot(y, image.get(), &quotient[3]));
  quotient[2] = quotient[1];
  (void)symmetric_eigen(2, quotient);
  check(VecAXPBY(x, quotient[3], quotient[2], y));
}

void SmallestEigensolver::run(double tolerance, SmallestEigenvalue& result) {
  // D changed behind the shell: setting it again makes EPS forget what it found.
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetTolerances(eps_.get(), tolerance, max_restarts_));
  Vec start = vector_.get();
  check(EPSSetInitialSpace(eps_.get(), 1, &start));
  check(EPSSolve(eps_.get()));
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  PetscInt pairs = 0;
  PetscInt iterations = 0;
  check(EPSGetConvergedReason(eps_.get(), &reason));
  check(EPSGetConverged(eps_.get(), &pairs));
  check(EPSGetIterationNumber(eps_.get(), &iterations));
  result.iterations += static_cast<int>(iterations);
  result.reason = static_cast<int>(reason);
  if (reason <= 0 || pairs < 1)
    throw Error(ExitCode::failed,
                "the smallest eigenvalue of D was not found: " + std::to_string(pairs) +
                    " pairs converged in " + std::to_string(iterations) + " restarts (EPS reason " +
                    std::to_string(static_cast<int>(reason)) +
                    "); raise -spec_eps_max_it or -spec_eps_ncv, or loosen -spec_eps_tol",
                true);
  double inverse_lambda = 0.0;
  check(EPSGetEigenpair(eps_.get(), 0, &inverse_lambda, nullptr, start, nullptr));
  result.lambda_min = 1.0 / inverse_lambda;
}

SmallestEigenvalue SmallestEigensolver::solve() {
  static const LogEvent event("SmallestEigen");
  const auto scope = event.begin();
  products_ = 0;
  SmallestEigenvalue result;
  int held = eigenvector_.empty() ? 0 : 1;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &held, 1, MPI_INT, MPI_MAX, dynamics_.comm()));
  if (held != 0) {
    WriteArray out(vector_.get());
    std::copy(eigenvector_.begin(), eigenvector_.end(), out.data());
  } else {
    set_random_start();
    run(std::max(tolerance_, rough_tolerance), result);
  }
  improve_start();
  run(tolerance_, result);

  check(EPSComputeError(eps_.get(), 0, EPS_ERROR_ABSOLUTE, &result.residual));
  const ReadArray vector(vector_.get());
  eigenvector_.assign(vector.span().begin(), vector.span().end());
  result.lower_bound = 1.0 / (1.0 / result.lambda_min + result.residual);
  result.products = products_;
  return result;
}

}  // namespace poise
