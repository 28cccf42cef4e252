#pragma once

#include <petscsnes.h>
#include <petsctao.h>
#include <petscts.h>
#include <slepceps.h>

#include <string>
#include <vector>

namespace poise {
inline namespace petsc {

/// Whether a solver may be of the types that `reserve_types` has named.
enum class ReservedTypes { refused, allowed };

/// Not collective. Declares types of SNES, KSP and PC that only some solvers of Poise can have, because they
/// need more than PETSc gives a solver. For all other solvers set_from_options refuses them and names the
/// option. `purpose`: the solvers that can have them.
void reserve_types(const std::vector<const char*>& names, const char* purpose);

/// Not collective. The type of an object, empty if it has none; and the option that chooses this type:
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

/// How the last solve of a KSP ended. Not collective.
struct KspResult {
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
  std::string text;  ///< of the reason, as PETSc names it
  PetscInt iterations = 0;
};
[[nodiscard]] KspResult result_of(KSP ksp);

/// Not collective. The solvers inside a SNES: its nonlinear preconditioner and the members of a composite.
[[nodiscard]] std::vector<SNES> inner_solvers(SNES snes);

/// Collective. Sets a solver from the options database; use it instead of KSPSetFromOptions,
/// SNESSetFromOptions, and so on. Call it once the solver has its prefix, type and operators. Beyond what
/// PETSc does:
///  - Every option that makes this solver, or a solver inside it, print something (diagnostics.hpp) counts as
///    used. PETSc reads many of them only while it solves, which is after Options::reject_unknown has refused
///    the unused options.
///  - Such an option for an object that this solver has, but does not use, is bad_input.
///  - A reserved type is bad_input, unless `types` allows it.
///  - On a silent communicator (output.hpp) the solver prints nothing, now and later. Its results, and the
///    options that count as used, do not depend on this.
/// Monitors and viewers that are set by functions after this call stay.
void set_from_options(KSP ksp, ReservedTypes types = ReservedTypes::refused);
void set_from_options(SNES snes, ReservedTypes types = ReservedTypes::refused);
void set_from_options(TS ts);
void set_from_options(EPS eps);
void set_from_options(Tao tao);

}  // namespace petsc
}  // namespace poise
