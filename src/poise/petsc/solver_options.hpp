#pragma once

#include <petscsnes.h>
#include <petsctao.h>
#include <petscts.h>
#include <slepceps.h>

#include <string>
#include <vector>

namespace poise {

/// Whether a solver may have the types that `reserve_types` has named.
enum class ReservedTypes { refused, allowed };

/// Not collective. Declares types of SNES, KSP and PC that need more than PETSc gives a solver, so that
/// set_from_options refuses them, by the option, for solvers that do not have it.
void reserve_types(const std::vector<const char*>& names, const char* purpose);

/// Not collective. The type of an object, empty if it has none; and the option that chooses it:
/// "-eq_snes_type picard".
[[nodiscard]] std::string type_of(PetscObject object);
[[nodiscard]] std::string type_option(PetscObject object);
template <class Solver>
[[nodiscard]] std::string type_of(Solver solver) {
  return type_of(reinterpret_cast<PetscObject>(solver));
}
template <class Solver>
[[nodiscard]] std::string type_option(Solver solver) {
  return type_option(reinterpret_cast<PetscObject>(solver));
}

/// Not collective. The solvers that a SNES asks for corrections: its nonlinear preconditioner and the members
/// of a composite.
[[nodiscard]] std::vector<SNES> inner_solvers(SNES snes);

/// Collective. Sets a solver from the options database, in the place of KSPSetFromOptions and its likes; call
/// it once the solver has its prefix, type and operators. Beyond what PETSc does:
///  - Every option by which this solver and those inside of it tell what they do (diagnostics.hpp) counts as
///    used, though PETSc asks for many of them only while it solves: Options::reject_unknown, which comes
///    before that, refuses those of solvers that do not run.
///  - One that is for an object which this solver has, but does not use, is bad_input.
///  - Reserved types are bad_input, unless they are allowed.
///  - On a silent communicator (output.hpp) the solver prints nothing, now and later. What it computes and
///    which options count as used is the same as elsewhere.
/// Monitors and viewers that are set by functions are not touched, if they are set afterwards.
void set_from_options(KSP ksp, ReservedTypes types = ReservedTypes::refused);
void set_from_options(SNES snes, ReservedTypes types = ReservedTypes::refused);
void set_from_options(TS ts);
void set_from_options(EPS eps);
void set_from_options(Tao tao);

}  // namespace poise
