#pragma once

#include <string>

#include "poise/base/error.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {

// How the solvers of spectral_solvers.hpp refuse to turn a failure into a number. All errors are on every
// rank.

/// What is said of a solver that did not converge; and the error, which adds what may help.
[[nodiscard]] std::string not_found_text(const SpectralSolver& solver, int found, Index wanted,
                                         int iterations, const std::string& reason);
[[nodiscard]] Error not_found(const SpectralSolver& solver, int found, Index wanted, int iterations,
                              const std::string& reason);

/// Throws failure unless the value is finite.
void require_number(const SpectralSolver& solver, double value);

/// Throws failure if a true residual is above what is allowed: a solver's own estimate can be wrong by any
/// factor where its recurrence broke down.
void require_residual(const SpectralSolver& solver, double residual, double allowed);

}  // namespace poise
