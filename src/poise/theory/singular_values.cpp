#include <algorithm>
#include <cmath>

#include "poise/solve/column_solver.hpp"
#include "poise/theory/spectral_checks.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {
namespace {

/// Of the inverse, below the tolerance of what is built on it.
constexpr double inverse_tolerance = 1e-2;
/// Krylov vectors before GMRES restarts: near a singular operator restarts stall.
constexpr int inverse_restart = 200;
/// The top of an inverse stands out, and a product with it is dear.
constexpr Index inverse_basis = 12;
/// Share of a smallest singular value that its residual may be.
constexpr double smallest_share = 0.1;

}  // namespace

// Not by SLEPc's SVD: on operators of low rank (Jacobians of a relu) its bidiagonalisations break down and
// have given values that are no singular values, and its `cross` stops at a rounded zero below 0. At the
// large end MᵀM loses no digits.
SpectralValue largest_singular_value(const LinearOperator& op, const SpectralSolver& solver) {
  const auto size = static_cast<std::size_t>(op.rows * op.columns);
  std::vector<double> image(size);
  const std::vector<double> probe = random_vector(op);
  op.apply(probe.data(), image.data());
  const double scale =
      vector_norm(op, image) / vector_norm(op, probe);  // below the norm, by no more than about √m
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
  // The inverse maps v to u/σ: its left vector is the right one of the operator.
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

}  // namespace poise
