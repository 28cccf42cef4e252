#pragma once

#include <initializer_list>
#include <string>

#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {
inline namespace run {

/// The prefix of a PETSc or SLEPc solver, and a note that a program adds to the solver's line in -help.
struct SolverName {
  std::string prefix;
  std::string note = {};
};

/// Not collective. Declares solvers of Poise by their prefixes; a table in solvers.cpp holds the kind and the
/// defaults of each prefix. Throws failure if the table does not have a prefix.
void declare_solvers(Options& options, std::initializer_list<SolverName> solvers);
/// Not collective. Declares the solvers of the equilibria and of their adjoints, from `eq_` to the last
/// resort of each ladder. `note` is added to the line of `eq_`.
void declare_equilibrium_solvers(Options& options, const std::string& note);
/// Not collective. Declares the solver of a dynamics, if it has one.
void declare_solver(Options& options, const DynamicsKind& dynamics);

}  // namespace run
}  // namespace poise
