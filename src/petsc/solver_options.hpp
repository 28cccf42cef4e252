#pragma once

#include <petscsnes.h>
#include <petsctao.h>
#include <petscts.h>
#include <slepceps.h>

namespace poise {

/// Collective. Sets a solver from the options database, in the place of KSPSetFromOptions and its likes; call
/// it once the solver has its prefix, type and operators. Beyond what PETSc does:
///  - Every option by which this solver and those inside of it tell what they do (diagnostics.hpp) counts as
///    used, though PETSc asks for many of them only while it solves: Options::reject_unknown, which comes
///    before that, refuses those of solvers that do not run.
///  - One that is for an object which this solver has, but does not use, is bad_input.
///  - On a silent communicator (silent.hpp) the solver prints nothing, now and later. What it computes and
///    which options count as used is the same as elsewhere.
/// Monitors and viewers that are set by functions are not touched, if they are set afterwards.
void set_from_options(KSP ksp);
void set_from_options(SNES snes);
void set_from_options(TS ts);
void set_from_options(EPS eps);
void set_from_options(Tao tao);

}  // namespace poise
