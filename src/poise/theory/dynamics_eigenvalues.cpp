#include "poise/theory/dynamics_eigenvalues.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Basis of a restart cycle of the state's problem. Its vectors have m numbers, not mq, so that it may be
/// larger than the basis of the full problem.
constexpr Index state_basis = 40;
constexpr PetscInt state_restarts = 50;

}  // namespace

LeadingProduct::LeadingProduct(const DynamicsMatrix& dynamics, std::uint64_t seed, double tolerance)
    : dynamics_(dynamics),
      seed_(seed),
      weights_(static_cast<std::size_t>(dynamics.local_rows())),
      block_(static_cast<std::size_t>(dynamics.local_size())),
      inverse_(dynamics.comm(), dynamics.local_rows(),
               [this](const double* x, double* y) {
                 ++products_;
                 dynamics_.apply_state_inverse(weights_.data(), x, y);
               }),
      state_(create_vec(dynamics.comm(), dynamics.local_rows())) {
  create_eigensolver(dynamics.comm(), "spec_state_", eps_.out());
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(dynamics.width(), state_basis)),
                         petsc_chosen));
  check(EPSSetTolerances(eps_.get(), tolerance, state_restarts));
  set_from_options(eps_.get());
}

void LeadingProduct::set_random_start() {
  const CounterRandom random(seed_, Stream::eigenvector);
  WriteArray out(state_.get());
  for (Index k = 0; k < dynamics_.local_rows(); ++k)
    out[k] = random.normal(static_cast<std::uint64_t>(dynamics_.row_begin() + k));
}

void LeadingProduct::update_state() {
  // The weights have changed inside the shell: setting the shell again makes EPS forget its last result.
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  Vec start = state_.get();
  if (run_eigensolver(eps_.get(), start).pairs > 0) check(EPSGetEigenvector(eps_.get(), 0, start, nullptr));
}

void LeadingProduct::find(double* out) {
  products_ = 0;
  set_random_start();
  std::fill(block_.begin(), block_.end(), 0.0);
  dynamics_.state_weights(nullptr, weights_.data());
  update_state();
  const ReadArray state(state_.get());
  std::copy(state.span().begin(), state.span().end(), block_.begin());
  dynamics_.best_product(block_.data(), out);
}

namespace {

/// Basis of a restart cycle. Each solve costs at least this many products; larger bases do not need fewer
/// products in total.
constexpr Index basis = 16;
/// Share of the basis that a restart keeps: the larger, the sooner the next test of convergence.
constexpr double kept = 0.8;
constexpr PetscInt restarts = 1000;
/// Residual, relative to the eigenvalue.
constexpr double default_tolerance = 3e-9;
/// Tolerance of the state vector of a first start, relative to the tolerance of the solve.
constexpr double state_tolerance = 0.3;

/// Number of kept eigenvectors. Along a smooth flow two of them span a linear extrapolation, with an error of
/// second order in the step.
constexpr Index history = 2;
/// A unit vector this near to the span of other vectors adds only rounding to the span.
constexpr double dependent = 1e-9;

/// Gram-Schmidt, twice; drops vectors that depend on those before them.
void orthonormalize(std::vector<VecHandle>& vectors) {
  std::vector<VecHandle> independent;
  for (VecHandle& vector : vectors) {
    double rest = 0.0;
    check(VecNormalize(vector.get(), nullptr));
    for (int pass = 0; pass < 2; ++pass) {
      for (const VecHandle& other : independent) {
        double overlap = 0.0;
        check(VecDot(vector.get(), other.get(), &overlap));
        check(VecAXPY(vector.get(), -overlap, other.get()));
      }
      check(VecNormalize(vector.get(), &rest));
      if (pass == 0 && rest < dependent) break;
    }
    if (rest >= dependent) independent.push_back(std::move(vector));
  }
  vectors = std::move(independent);
}

}  // namespace

SmallestEigensolver::SmallestEigensolver(const DynamicsMatrix& dynamics, std::uint64_t seed)
    : dynamics_(dynamics),
      inverse_(dynamics.comm(), dynamics.local_size(),
               [this](const double* x, double* y) {
                 ++products_;
                 dynamics_.apply_inverse(x, y);
               }),
      vector_(create_vec(dynamics.comm(), dynamics.local_size())) {
  create_eigensolver(dynamics.comm(), "spec_", eps_.out());
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  const Index size = dynamics.width() * dynamics.outputs();
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(size, basis)), petsc_chosen));
  check(EPSKrylovSchurSetRestart(eps_.get(), kept));
  check(EPSSetTolerances(eps_.get(), default_tolerance, restarts));
  set_from_options(eps_.get());
  check(EPSGetTolerances(eps_.get(), &tolerance_, &max_restarts_));
  leading_ = std::make_unique<LeadingProduct>(dynamics, seed, state_tolerance * tolerance_);
}

void SmallestEigensolver::set_eigenvectors(std::span<const double> blocks) {
  const Index size = dynamics_.local_size();
  const auto given = static_cast<Index>(blocks.size());
  if (given != 0 && given != size && given != history * size)
    throw bad_input(
        fmt::format("the stored eigenvectors have {} entries on this rank, not {} or {}: they belong to a "
                    "different model",
                    given, size, history * size));
  eigenvectors_.assign(blocks.begin(), blocks.end());
}

void SmallestEigensolver::improve_start(int held) {
  std::vector<VecHandle> vectors;
  for (int v = 0; v < held; ++v) {
    vectors.push_back(duplicate(vector_.get()));
    WriteArray out(vectors.back().get());
    std::copy_n(eigenvectors_.begin() + v * dynamics_.local_size(), out.span().size(), out.data());
  }
  vectors.push_back(duplicate(vector_.get()));
  {
    const ReadArray in(vectors.front().get());
    WriteArray out(vectors.back().get());
    dynamics_.best_product(in.data(), out.data());
  }
  orthonormalize(vectors);
  std::vector<double> quotient;
  const VecHandle image = duplicate(vector_.get());
  for (const VecHandle& x : vectors) {
    check(MatMult(inverse_.get(), x.get(), image.get()));
    for (const VecHandle& y : vectors) check(VecDot(y.get(), image.get(), &quotient.emplace_back()));
  }
  const auto size = static_cast<Index>(vectors.size());
  const std::vector<double> top = symmetric_eigen(size, std::move(quotient)).vectors;
  check(VecSet(vector_.get(), 0.0));
  for (Index v = 0; v < size; ++v)
    check(
        VecAXPY(vector_.get(), top[static_cast<std::size_t>(v)], vectors[static_cast<std::size_t>(v)].get()));
}

void SmallestEigensolver::run(double tolerance, SmallestEigenvalue& result) {
  // D has changed inside the shell: setting the shell again makes EPS forget its last result.
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetTolerances(eps_.get(), tolerance, max_restarts_));
  const EigenRun run = solve_eigenproblem(eps_.get(), vector_.get(), 1, [](const EigenRun& failed) {
    return fmt::format(
        "the smallest eigenvalue of D was not found: {} pairs converged in {} restarts (EPS reason {})",
        failed.pairs, failed.iterations, static_cast<int>(failed.reason));
  });
  result.iterations += run.iterations;
  result.reason = static_cast<int>(run.reason);
  double inverse_lambda = 0.0;
  check(EPSGetEigenpair(eps_.get(), 0, &inverse_lambda, nullptr, vector_.get(), nullptr));
  result.lambda_min = 1.0 / inverse_lambda;
}

int SmallestEigensolver::held_vectors() const {
  const Index size = dynamics_.local_size();  // 0 on ranks without rows, where the number is not known
  int held = size > 0 ? static_cast<int>(static_cast<Index>(eigenvectors_.size()) / size) : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &held, 1, MPI_INT, MPI_MAX, dynamics_.comm()));
  return held;
}

SmallestEigenvalue SmallestEigensolver::solve() {
  static const LogEvent event("SmallestEigen");
  const auto scope = event.begin();
  products_ = 0;
  SmallestEigenvalue result;
  const int held = held_vectors();
  if (held == 0) {
    WriteArray out(vector_.get());
    leading_->find(out.data());
    products_ += (leading_->products() + dynamics_.outputs() - 1) / dynamics_.outputs();
  } else {
    improve_start(held);
  }
  run(tolerance_, result);

  check(EPSComputeError(eps_.get(), 0, EPS_ERROR_ABSOLUTE, &result.residual));
  const ReadArray vector(vector_.get());
  if (held > 1) eigenvectors_.resize(vector.span().size());
  eigenvectors_.insert(eigenvectors_.begin(), vector.span().begin(), vector.span().end());
  result.lower_bound = 1.0 / (1.0 / result.lambda_min + result.residual);
  result.products = products_;
  return result;
}

SpectralValue largest_dynamics_eigenvalue(const DynamicsMatrix& dynamics, CollapsedModel& model) {
  const LinearMap solve = [&model](const double* rhs, double* x) { (void)model.solve(rhs, x); };
  const LinearMap solve_transpose = [&model](const double* rhs, double* x) {
    (void)model.solve_transpose(rhs, x);
  };
  LinearOperator op{dynamics.comm(),
                    dynamics.row_begin(),
                    dynamics.local_rows(),
                    dynamics.outputs(),
                    dynamics.width() * dynamics.outputs(),
                    [&](const double* x, double* y) { dynamics.apply(x, y, solve, solve_transpose); },
                    nullptr};
  return largest_eigenvalue(
      op, {.prefix = "limit_lambda_", .quantity = "largest eigenvalues of D", .tolerance = 1e-10});
}

}  // namespace theory
}  // namespace poise
