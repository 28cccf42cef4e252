#include "poise/linalg/spectral_norm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
inline namespace linalg {
namespace {

/// Size of the basis of a restart cycle. The largest singular values of random matrices lie close together,
/// so that a small basis converges slowly.
constexpr Index basis = 40;
constexpr PetscInt restarts = 1000;
constexpr double default_tolerance = 1e-12;
/// Size of the random part of the start vector, relative to the last singular vector. Started from an exact
/// singular vector alone, a Krylov space ends at once and can miss another singular value that has become the
/// largest.
constexpr double random_part = 1e-2;

}  // namespace

SpectralNorm::SpectralNorm(const RowBlockMatrix& matrix)
    : matrix_(matrix),
      square_(matrix.comm(), matrix.local_rows(), [this](const double* x, double* y) { apply_square(x, y); }),
      vector_(create_vec(matrix.comm(), matrix.local_rows())),
      left_(static_cast<std::size_t>(matrix.local_rows()), 0.0),
      right_(left_),
      image_(left_) {
  create_eigensolver(matrix.comm(), "svd_", eps_.out());
  check(EPSSetOperators(eps_.get(), square_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(
      EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(matrix.width(), basis)), petsc_chosen));
  check(EPSSetConvergenceTest(eps_.get(), EPS_CONV_REL));
  check(EPSSetTolerances(eps_.get(), default_tolerance, restarts));
  set_from_options(eps_.get());
}

/// y = MᵀM x / ‖M‖_F², so that nothing overflows.
void SpectralNorm::apply_square(const double* x, double* y) {
  matrix_.multiply(1, x, image_.data());
  for (double& entry : image_) entry /= frobenius_;
  matrix_.multiply_transpose(1, image_.data(), y);
  for (Index i = 0; i < matrix_.local_rows(); ++i) y[i] /= frobenius_;
}

double SpectralNorm::norm_of(std::span<const double> local) const {
  double sum = 0.0;
  for (const double entry : local) sum += entry * entry;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, matrix_.comm()));
  return std::sqrt(sum);
}

double SpectralNorm::frobenius_norm() const {
  return norm_of({matrix_.rows(), static_cast<std::size_t>(matrix_.local_rows() * matrix_.width())});
}

void SpectralNorm::set_start() {
  const CounterRandom random(0, Stream::eigenvector);
  const double scale = random_part / std::sqrt(static_cast<double>(matrix_.width()));
  WriteArray start(vector_.get());
  for (Index i = 0; i < matrix_.local_rows(); ++i)
    start[i] = right_[i] + scale * random.normal(static_cast<std::uint64_t>(matrix_.row_begin() + i));
}

void SpectralNorm::forget() {
  std::fill(right_.begin(), right_.end(), 0.0);
}

double SpectralNorm::compute() {
  static const LogEvent event("SpectralNorm");
  const auto scope = event.begin();
  frobenius_ = frobenius_norm();
  if (!std::isfinite(frobenius_))
    throw Error(ExitCode::failed,
                "the spectral norm (svd_) cannot be computed: the weights hold a NaN or an Inf, or their "
                "norm overflows",
                true);
  if (frobenius_ > 0.0) return solve();
  std::fill(left_.begin(), left_.end(), 0.0);
  std::fill(right_.begin(), right_.end(), 0.0);
  return 0.0;
}

double SpectralNorm::solve() {
  // The matrix behind the shell has changed: setting the operator again makes EPS forget its last result.
  check(EPSSetOperators(eps_.get(), square_.get(), nullptr));
  set_start();
  solve_eigenproblem(eps_.get(), vector_.get(), 1, [](const EigenRun& run) {
    return fmt::format("the spectral norm (svd_) of the weights was not found: {} after {} restarts",
                       EPSConvergedReasons[run.reason], run.iterations);
  });
  check(EPSGetEigenvector(eps_.get(), 0, vector_.get(), nullptr));
  {
    const ReadArray v(vector_.get());
    std::copy(v.span().begin(), v.span().end(), right_.begin());
  }
  matrix_.multiply(1, right_.data(), left_.data());
  const double norm = norm_of(left_);
  for (double& entry : left_) entry /= norm;
  return norm;
}

}  // namespace linalg
}  // namespace poise
