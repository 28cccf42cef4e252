#include "poise/theory/spectral_solvers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/column_solver.hpp"

namespace poise {
inline namespace theory {

LinearOperator operator_of(const RowBlockMatrix& matrix) {
  return {matrix.comm(),
          matrix.row_begin(),
          matrix.local_rows(),
          1,
          matrix.width(),
          [&matrix](const double* x, double* y) { matrix.multiply(1, x, y); },
          [&matrix](const double* x, double* y) { matrix.multiply_transpose(1, x, y); }};
}

LinearOperator operator_of(const RowBlockMatrix& matrix, const double* d) {
  LinearOperator op = operator_of(matrix);
  const Index rows = op.rows;
  op.apply = [&matrix, d, rows](const double* x, double* y) {
    matrix.multiply(1, x, y);
    for (Index i = 0; i < rows; ++i) y[i] *= d[i];
  };
  op.apply_transpose = [&matrix, d, rows](const double* x, double* y) {
    std::vector<double> scaled(static_cast<std::size_t>(rows));
    for (Index i = 0; i < rows; ++i) scaled[i] = d[i] * x[i];
    matrix.multiply_transpose(1, scaled.data(), y);
  };
  return op;
}

double frobenius_norm(const RowBlockMatrix& matrix, const double* d) {
  double sum = 0.0;
  for (Index i = 0; i < matrix.local_rows(); ++i)
    for (Index j = 0; j < matrix.width(); ++j) {
      const double entry = matrix.rows()[i * matrix.width() + j] * (d != nullptr ? d[i] : 1.0);
      sum += entry * entry;
    }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, matrix.comm()));
  if (!std::isfinite(sum))
    throw Error(ExitCode::failed, "the weights or slopes hold a NaN or an Inf, or overflow", true);
  return std::sqrt(sum);
}

std::vector<double> random_vector(const LinearOperator& op) {
  const CounterRandom random(0, Stream::eigenvector);
  std::vector<double> out(static_cast<std::size_t>(op.rows * op.columns));
  for (Index c = 0; c < op.columns; ++c)
    for (Index i = 0; i < op.rows; ++i)
      out[c * op.rows + i] =
          random.normal(static_cast<std::uint64_t>(op.row_begin + i), static_cast<std::uint64_t>(c));
  return out;
}

double vector_norm(const LinearOperator& op, const std::vector<double>& x) {
  double square = 0.0;
  for (const double value : x) square += value * value;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, op.comm));
  return std::sqrt(square);
}

namespace {

// The solvers below refuse to turn a failure into a number. All errors are thrown on every rank.

std::string not_found_text(const SpectralSolver& solver, int found, Index wanted, int iterations,
                           const std::string& reason) {
  return fmt::format("the {} were not found: {} of {} converged in {} restarts ({})", solver.quantity, found,
                     wanted, iterations, reason);
}

Error not_found(const SpectralSolver& solver, int found, Index wanted, int iterations,
                const std::string& reason) {
  return {ExitCode::failed,
          not_found_text(solver, found, wanted, iterations, reason) + eigensolver_cure(solver.prefix), true};
}

/// Throws failure unless the value is finite.
void require_number(const SpectralSolver& solver, double value) {
  if (std::isfinite(value)) return;
  throw Error(ExitCode::failed,
              fmt::format("the {} ({}): the operator gives NaN or Inf", solver.quantity, solver.prefix),
              true);
}

/// Throws failure if a true residual is above the allowed one: the estimate of a solver can be wrong by any
/// factor if its recurrence broke down.
void require_residual(const SpectralSolver& solver, double residual, double allowed) {
  if (residual <= allowed) return;
  throw Error(
      ExitCode::failed,
      fmt::format("the {} ({}): converged by the solver's estimate, but the true residual is {}, above "
                  "the allowed {}; choose a different solver type by this prefix, or loosen its "
                  "tolerance",
                  solver.quantity, solver.prefix, to_text(residual), to_text(allowed)),
      true);
}

constexpr PetscInt restarts = 1000;

/// True residuals may be this many times the tolerance, plus the rounding of products.
constexpr double slack = 10.0;
constexpr double rounding = 1e-13;

double unit(const SpectralSolver& solver) {
  return solver.scale > 0.0 ? solver.scale : 1.0;
}

/// The shell of an operator. It divides by the scale, because EPS tests absolutely for breakdowns, and counts
/// products.
class Shell {
 public:
  Shell(const LinearOperator& op, double scale)
      : shell_(op.comm, op.rows * op.columns, [this, &op, scale](const double* x, double* y) {
          ++products_;
          op.apply(x, y);
          for (Index i = 0; i < op.rows * op.columns; ++i) y[i] /= scale;
        }) {}
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;
  [[nodiscard]] Mat get() const { return shell_.get(); }
  [[nodiscard]] Index products() const { return products_; }

 private:
  Index products_ = 0;
  ShellOperator shell_;
};

std::vector<double> entries(Vec vec) {
  const ReadArray values(vec);
  return {values.span().begin(), values.span().end()};
}

/// Largest allowed residual, relative to the scale, of a converged pair with this value.
double allowed_residual(EPS eps, const SpectralSolver& solver, double value) {
  PetscReal tolerance = 0.0;
  check(EPSGetTolerances(eps, &tolerance, nullptr));
  return slack * (tolerance + rounding) * (solver.scale > 0.0 ? 1.0 : value);
}

EpsHandle make_eigensolver(const LinearOperator& op, Mat mat, Index count, const SpectralSolver& solver) {
  EpsHandle eps;
  create_eigensolver(op.comm, solver.prefix.c_str(), eps.out());
  check(EPSSetOperators(eps.get(), mat, nullptr));
  check(EPSSetType(eps.get(), EPSKRYLOVSCHUR));
  const Index columns = std::min(op.size, std::max(solver.basis, 2 * count + 1));
  check(EPSSetDimensions(eps.get(), static_cast<PetscInt>(count), static_cast<PetscInt>(columns),
                         petsc_chosen));
  check(EPSSetConvergenceTest(eps.get(), solver.scale > 0.0 ? EPS_CONV_ABS : EPS_CONV_REL));
  check(EPSSetTolerances(eps.get(), solver.tolerance, restarts));
  return eps;
}

/// Runs the eigensolver; returns the number of restarts.
int run(EPS eps, const LinearOperator& op, Index count, const SpectralSolver& solver) {
  set_from_options(eps);
  const VecHandle start = create_vec(op.comm, op.rows * op.columns);
  {
    const std::vector<double> random = random_vector(op);
    WriteArray out(start.get());
    std::copy(random.begin(), random.end(), out.data());
  }
  return solve_eigenproblem(eps, start.get(), static_cast<int>(count),
                            [&](const EigenRun& failed) {
                              return not_found_text(solver, failed.pairs, count, failed.iterations,
                                                    EPSConvergedReasons[failed.reason]);
                            })
      .iterations;
}

}  // namespace

double Eigenvalue::modulus() const {
  return std::hypot(real, imaginary);
}

SpectralValue largest_eigenvalue(const LinearOperator& op, const SpectralSolver& solver) {
  const Shell shell(op, unit(solver));
  const EpsHandle eps = make_eigensolver(op, shell.get(), 1, solver);
  check(EPSSetProblemType(eps.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps.get(), EPS_LARGEST_REAL));
  SpectralValue result;
  result.iterations = run(eps.get(), op, 1, solver);
  const VecHandle vector = create_vec(op.comm, op.rows * op.columns);
  check(EPSGetEigenpair(eps.get(), 0, &result.value, nullptr, vector.get(), nullptr));
  check(EPSComputeError(eps.get(), 0, EPS_ERROR_ABSOLUTE, &result.residual));
  require_number(solver, result.value + result.residual);
  require_residual(solver, result.residual, allowed_residual(eps.get(), solver, std::abs(result.value)));
  result.value *= unit(solver);
  result.residual *= unit(solver);
  result.vector = entries(vector.get());
  result.products = shell.products();
  return result;
}

Eigenvalues leading_eigenvalues(const LinearOperator& op, Index count, const SpectralSolver& solver) {
  if (count < 1 || count > op.size)
    throw Error(ExitCode::bad_input,
                fmt::format("{} {} were asked for, but there are {}", count, solver.quantity, op.size), true);
  const Shell shell(op, unit(solver));
  const EpsHandle eps = make_eigensolver(op, shell.get(), count, solver);
  check(EPSSetProblemType(eps.get(), EPS_NHEP));
  check(EPSSetWhichEigenpairs(eps.get(), EPS_LARGEST_MAGNITUDE));
  Eigenvalues result;
  result.iterations = run(eps.get(), op, count, solver);
  PetscInt pairs = 0;
  check(EPSGetConverged(eps.get(), &pairs));
  bool open = false;  // whether the last value is the first of a conjugate pair
  for (PetscInt i = 0; i < count || open; ++i) {
    if (i >= pairs) throw not_found(solver, pairs, count + 1, result.iterations, "a split pair");
    Eigenvalue& found = result.values.emplace_back();
    check(EPSGetEigenvalue(eps.get(), i, &found.real, &found.imaginary));
    check(EPSComputeError(eps.get(), i, EPS_ERROR_ABSOLUTE, &found.residual));
    require_number(solver, found.modulus() + found.residual);
    require_residual(solver, found.residual, allowed_residual(eps.get(), solver, found.modulus()));
    found.real *= unit(solver);
    found.imaginary *= unit(solver);
    found.residual *= unit(solver);
    open = found.imaginary != 0.0 && !open;
  }
  result.products = shell.products();
  return result;
}

void consult_options(MPI_Comm comm, const std::string& prefix, const std::string& kind) {
  if (kind == "EPS") {
    EpsHandle eps;
    create_eigensolver(comm, prefix.c_str(), eps.out());
    set_from_options(eps.get());
  } else {
    KspHandle ksp;
    check(KSPCreate(comm, ksp.out()));
    check(KSPSetOptionsPrefix(ksp.get(), prefix.c_str()));
    set_from_options(ksp.get());
  }
}

namespace {

/// Tolerance of the inverse, relative to the tolerance of the singular value.
constexpr double inverse_tolerance = 1e-2;
/// Krylov vectors before GMRES restarts: near a singular operator restarts stall.
constexpr int inverse_restart = 200;
/// Basis for an inverse: its largest singular value is well separated, and its products are expensive.
constexpr Index inverse_basis = 12;
/// Largest allowed residual of a smallest singular value, relative to the value.
constexpr double smallest_share = 0.1;

}  // namespace

// This does not use SLEPc's SVD: for operators of low rank (Jacobians of a relu) its bidiagonalisations break
// down and have given numbers that are no singular values, and its type `cross` stops if a zero is rounded to
// a negative number. MᵀM loses no digits of the largest singular values.
SpectralValue largest_singular_value(const LinearOperator& op, const SpectralSolver& solver) {
  const auto size = static_cast<std::size_t>(op.rows * op.columns);
  std::vector<double> image(size);
  const std::vector<double> probe = random_vector(op);
  op.apply(probe.data(), image.data());
  const double scale = vector_norm(op, image) / vector_norm(op, probe);  // between about ‖M‖/√m and ‖M‖
  require_number(solver, scale);
  SpectralValue result;
  if (scale == 0.0) return result;  // only 0 maps a random vector to 0
  LinearOperator square = op;
  square.apply = [&](const double* x, double* y) {
    op.apply(x, image.data());
    for (double& entry : image) entry /= scale;
    op.apply_transpose(image.data(), y);
    for (std::size_t i = 0; i < size; ++i) y[i] /= scale;
  };
  SpectralSolver relative = solver;
  relative.scale = 0.0;
  result = largest_eigenvalue(square, relative);
  result.value = scale * std::sqrt(std::max(0.0, result.value));
  result.products *= 2;
  result.left.resize(size);
  op.apply(result.vector.data(), result.left.data());
  for (double& entry : result.left) entry /= result.value;
  op.apply_transpose(result.left.data(), image.data());
  for (std::size_t i = 0; i < size; ++i) image[i] -= result.value * result.vector[i];
  result.residual = vector_norm(op, image);
  require_number(solver, result.value + result.residual);
  return result;
}

SpectralValue smallest_singular_value(const LinearOperator& op, const SpectralSolver& solver) {
  Index products = 0;
  const LinearMap apply = [&](const double* x, double* y) {
    ++products;
    op.apply(x, y);
  };
  const LinearMap apply_transpose = [&](const double* x, double* y) {
    ++products;
    op.apply_transpose(x, y);
  };
  const ColumnSolver::Defaults defaults{.restart = inverse_restart};
  const Index size = op.rows * op.columns;
  const double rtol = inverse_tolerance * solver.tolerance;
  ColumnSolver solve(op.comm, size, 1, apply, apply_transpose, solver.prefix, solver.quantity, rtol,
                     defaults);
  ColumnSolver solve_transpose(op.comm, size, 1, apply_transpose, apply, solver.prefix, solver.quantity, rtol,
                               defaults);
  LinearOperator inverse = op;
  inverse.apply = [&](const double* x, double* y) { (void)require(solve.solve(x, y), true); };
  inverse.apply_transpose = [&](const double* x, double* y) {
    (void)require(solve_transpose.solve(x, y), true);
  };
  SpectralSolver small_basis = solver;
  small_basis.basis = inverse_basis;
  SpectralValue result = largest_singular_value(inverse, small_basis);
  if (!(result.value > 0.0)) throw not_found(solver, 0, 1, result.iterations, "the inverse is 0");
  result.value = 1.0 / result.value;
  // The inverse maps u to v/σ: its left singular vector is the right singular vector of the operator.
  std::swap(result.vector, result.left);
  std::vector<double> image(static_cast<std::size_t>(size)), image_transpose(image.size());
  apply(result.vector.data(), image.data());
  apply_transpose(result.left.data(), image_transpose.data());
  for (std::size_t i = 0; i < image.size(); ++i) {
    image[i] -= result.value * result.left[i];
    image_transpose[i] -= result.value * result.vector[i];
  }
  result.residual = std::hypot(vector_norm(op, image), vector_norm(op, image_transpose));
  require_residual(solver, result.residual, smallest_share * result.value);
  result.products = products;
  return result;
}

}  // namespace theory
}  // namespace poise
