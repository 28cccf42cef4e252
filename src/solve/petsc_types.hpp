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

/// The options prefix of an object, with the dash.
inline std::string dashed_prefix(PetscObject object) {
  const char* prefix = nullptr;
  check(PetscObjectGetOptionsPrefix(object, &prefix));
  return "-" + std::string(prefix != nullptr ? prefix : "");
}

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

/// What the SNES and KSP types that iterate every sample by itself have in common.
struct SampleSettings {
  bool patient = true;  ///< see set_patient
  int mixing = 0;       ///< see set_mixing
  IterationReport report;

  /// `kind`: snes or ksp, which the options -KIND_patient and -KIND_mixing begin with; `mixes`: the type has
  /// the latter.
  void read(OptionItems items, const std::string& kind, bool mixes);
  void view(PetscViewer viewer, const std::string& description) const;
};

/// The ASCII line of a view.
void view_line(PetscViewer viewer, const std::string& line);

}  // namespace poise
