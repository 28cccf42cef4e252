#include "poise/theory/spectral_checks.hpp"

#include <cmath>

#include "poise/base/options.hpp"

namespace poise {

Error not_found(const SpectralSolver& solver, int found, Index wanted, int iterations,
                const std::string& reason) {
  const std::string option = " -" + solver.prefix + "eps";
  return {ExitCode::failed,
          "the " + solver.quantity + " were not found: " + std::to_string(found) + " of " +
              std::to_string(wanted) + " converged in " + std::to_string(iterations) + " restarts (" +
              reason + "); raise" + option + "_max_it or" + option + "_ncv, or loosen" + option + "_tol",
          true};
}

void require_number(const SpectralSolver& solver, double value) {
  if (std::isfinite(value)) return;
  throw Error(ExitCode::failed,
              "the " + solver.quantity + " (" + solver.prefix + "): the operator gives NaN or Inf", true);
}

void require_residual(const SpectralSolver& solver, double residual, double allowed) {
  if (residual <= allowed) return;
  throw Error(ExitCode::failed,
              "the " + solver.quantity + " (" + solver.prefix +
                  "): converged by the solver's estimate, but the " + "true residual is " +
                  to_text(residual) + " where " + to_text(allowed) +
                  " is allowed; choose another solver type by its prefix, or loosen its tolerance",
              true);
}

}  // namespace poise
