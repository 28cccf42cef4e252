#include "poise/theory/dynamics_spectrum.hpp"

namespace poise {

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

}  // namespace poise
