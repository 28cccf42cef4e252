#include "poise/theory/spectral_checks.hpp"

#include <fmt/format.h>

#include <cmath>

#include "poise/base/options.hpp"
#include "poise/linalg/eigenproblem.hpp"

namespace poise {

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
