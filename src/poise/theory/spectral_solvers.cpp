#include "poise/theory/spectral_solvers.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/theory/spectral_checks.hpp"

namespace poise {
namespace {

constexpr PetscInt restarts = 1000;

/// What true residuals may be above tolerances, and rounding of products that no tolerance undercuts.
constexpr double slack = 10.0;
constexpr double rounding = 1e-13;

double unit(const SpectralSolver& solver) {
  return solver.scale > 0.0 ? solver.scale : 1.0;
}

/// The shell of an operator, divided by its scale because EPS's tests for breakdowns are absolute; with a
/// count of products.
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

/// Largest residual, over the scale, of a converged pair of a value of this size.
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

/// Runs it; returns the restarts.
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
                std::to_string(count) + " " + solver.quantity + " were asked for, but there are " +
                    std::to_string(op.size),
                true);
  const Shell shell(op, unit(solver));
  const EpsHandle eps = make_eigensolver(op, shell.get(), count, solver);
  check(EPSSetProblemType(eps.get(), EPS_NHEP));
  check(EPSSetWhichEigenpairs(eps.get(), EPS_LARGEST_MAGNITUDE));
  Eigenvalues result;
  result.iterations = run(eps.get(), op, count, solver);
  PetscInt pairs = 0;
  check(EPSGetConverged(eps.get(), &pairs));
  bool open = false;  // the last one is the first of a conjugate pair
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

}  // namespace poise
