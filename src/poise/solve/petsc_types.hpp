#pragma once

// What the files that define solver types for PETSc share; the one place that knows how PETSc's interface for
// such types changed from 3.18 to 3.26.
#include <petsclog.h>
#include <petscviewer.h>

#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {

#if PETSC_VERSION_GE(3, 23, 0)
using OptionItems = PetscOptionItems;
#else
using OptionItems = PetscOptionItems*;
#endif

/// An Error that all ranks of the world throw, for all of them have the same options.
inline Error refusal_of(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

/// Inside setfromoptions: an option of the object whose options are read. Throws bad_input outside [low,
/// high].
double real_option(OptionItems items, const char* name, const char* help, double value, double low,
                   double high);
int integer_option(OptionItems items, const char* name, const char* help, int value, int low, int high);
bool flag_option(OptionItems items, const char* name, const char* help, bool value);

/// The event that PETSc's -log_view lists by this name: "PCApply".
PetscLogEvent event_named(const char* name);

/// Inside setfromoptions and view: what SNES and KSP types have in common. `kind`: snes or ksp, with which
/// the options begin; `mixes`: the type has the mixing.
void read_options(SampleIteration& iteration, OptionItems items, const std::string& kind, bool mixes);
void view(const SampleIteration& iteration, PetscViewer viewer, const std::string& description);

/// The ASCII line of a view.
void view_line(PetscViewer viewer, const std::string& line);

}  // namespace poise
