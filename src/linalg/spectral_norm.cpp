#include "poise/linalg/spectral_norm.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
namespace {

/// Basis of a restart cycle: random matrices have a dense edge of the spectrum, which a small basis resolves
/// slowly.
constexpr Index basis = 40;
constexpr PetscInt restarts = 1000;
constexpr double default_tolerance = 1e-12;
/// Size of the random part of a start, relative to the vector found before. From an exact singular vector the
/// bidiagonalisation breaks down at once and learns of a value that has overtaken it from rounding alone.
constexpr double random_part = 1e-2;

}  // namespace

SpectralNorm::SpectralNorm(const RowBlockMatrix& matrix)
    : matrix_(matrix),
      operator_(
          matrix.comm(), matrix.local_rows(),
          [this](const double* x, double* y) { matrix_.multiply(1, x, y); },
          [this](const double* x, double* y) { matrix_.multiply_transpose(1, x, y); }),
      u_(create_vec(matrix.comm(), matrix.local_rows())),
      v_(duplicate(u_.get())),
      left_(static_cast<std::size_t>(matrix.local_rows()), 0.0),
      right_(left_) {
  check(SVDCreate(matrix.comm(), svd_.out()));
  check(SVDSetOptionsPrefix(svd_.get(), "svd_"));
  check(SVDSetOperators(svd_.get(), operator_.get(), nullptr));
  check(SVDSetProblemType(svd_.get(), SVD_STANDARD));
  check(SVDSetWhichSingularTriplets(svd_.get(), SVD_LARGEST));
  check(SVDSetType(svd_.get(), SVDTRLANCZOS));
  check(
      SVDSetDimensions(svd_.get(), 1, static_cast<PetscInt>(std::min(matrix.width(), basis)), PETSC_DEFAULT));
  check(SVDSetConvergenceTest(svd_.get(), SVD_CONV_REL));
  check(SVDSetTolerances(svd_.get(), default_tolerance, restarts));
  check(SVDSetFromOptions(svd_.get()));
}

double SpectralNorm::frobenius_norm() const {
  double sum = 0.0;
  const double* entries = matrix_.rows();
  for (Index e = 0; e < matrix_.local_rows() * matrix_.width(); ++e) sum += entries[e] * entries[e];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, matrix_.comm()));
  return std::sqrt(sum);
}

void SpectralNorm::set_start() {
  const CounterRandom random(0, Stream::eigenvector);
  const double scale = random_part / std::sqrt(static_cast<double>(matrix_.width()));
  WriteArray start(v_.get());
  for (Index i = 0; i < matrix_.local_rows(); ++i)
    start[i] = right_[i] + scale * random.normal(static_cast<std::uint64_t>(matrix_.row_begin() + i));
}

void SpectralNorm::forget() {
  std::fill(right_.begin(), right_.end(), 0.0);
}

double SpectralNorm::compute() {
  static const LogEvent event("SpectralNorm");
  const auto scope = event.begin();
  const double frobenius = frobenius_norm();
  if (!std::isfinite(frobenius))
    throw Error(ExitCode::failed,
                "the spectral norm (svd_) of weights that hold a NaN or an Inf, or overflow", true);
  if (frobenius > 0.0) return solve();
  std::fill(left_.begin(), left_.end(), 0.0);
  std::fill(right_.begin(), right_.end(), 0.0);
  return 0.0;
}

double SpectralNorm::solve() {
  // The matrix changed behind the shell: setting it again makes SVD forget what it found.
  check(SVDSetOperators(svd_.get(), operator_.get(), nullptr));
  set_start();
  Vec start = v_.get();
  check(SVDSetInitialSpaces(svd_.get(), 1, &start, 0, nullptr));
  check(SVDSolve(svd_.get()));
  SVDConvergedReason reason = SVD_CONVERGED_ITERATING;
  PetscInt triplets = 0;
  PetscInt iterations = 0;
  check(SVDGetConvergedReason(svd_.get(), &reason));
  check(SVDGetConverged(svd_.get(), &triplets));
  check(SVDGetIterationNumber(svd_.get(), &iterations));
  if (reason <= 0 || triplets < 1)
    throw Error(ExitCode::failed,
                "the spectral norm (svd_) of the weights was not found: " +
                    std::string(SVDConvergedReasons[reason]) + " after " + std::to_string(iterations) +
                    " restarts; raise -svd_svd_max_it or -svd_svd_ncv, or loosen -svd_svd_tol",
                true);
  double norm = 0.0;
  check(SVDGetSingularTriplet(svd_.get(), 0, &norm, u_.get(), v_.get()));
  const ReadArray u(u_.get());
  const ReadArray v(v_.get());
  std::copy(u.span().begin(), u.span().end(), left_.begin());
  std::copy(v.span().begin(), v.span().end(), right_.begin());
  return norm;
}

}  // namespace poise
