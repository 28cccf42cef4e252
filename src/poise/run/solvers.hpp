#pragma once

#include <initializer_list>
#include <string>

#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {
inline namespace run {

/// A prefix of a solver of PETSc or SLEPc, with what a program adds to its line of -help.
struct SolverName {
  std::string prefix;
  std::string note = {};
};

/// Not collective. Declares solvers that Poise has; the table behind it says kind and defaults of each
/// prefix.
void declare_solvers(Options& options, std::initializer_list<SolverName> solvers);
/// Not collective. Declares the solver of a dynamics, if it has one.
void declare_solver(Options& options, const DynamicsKind& dynamics);

}  // namespace run
}  // namespace poise
