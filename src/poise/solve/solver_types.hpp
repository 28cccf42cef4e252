#pragma once

#include <petsclog.h>
#include <petscsnes.h>
#include <petscviewer.h>

#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace model {
class EquilibriumMap;
}
inline namespace solve {

class PanelOperator;

// The types that Poise adds to PETSc. They are chosen, viewed and monitored like PETSc's types. The SNES and
// KSP types iterate every sample of a panel by itself, and a sample that is done leaves the panel. Monitors
// and histories get the residual of the worst sample that is still iterated, relative to the same size as its
// tolerance.
inline constexpr const char* snes_mean_field = "meanfield";
inline constexpr const char* snes_picard = "picard";
inline constexpr const char* snes_forward_backward = "forwardbackward";
inline constexpr const char* snes_peaceman_rachford = "peacemanrachford";
inline constexpr const char* snes_perron = "perron";
inline constexpr const char* ksp_mean_field = "meanfield";
inline constexpr const char* ksp_neumann = "neumann";
inline constexpr const char* pc_mean_field = "meanfield";
inline constexpr const char* pc_sample_lu = "samplelu";
inline constexpr const char* pc_perron = "perron";

/// Whether a SNES type, or a KSP type, is a type of Poise.
[[nodiscard]] bool is_own_snes(const std::string& type);
[[nodiscard]] bool is_own_ksp(const std::string& type);

/// The value of an option; empty if it is not given. `name`: with the dash. Not collective.
[[nodiscard]] std::string given_option(const char* name);

/// Declare and read options of Poise's solvers: for -help, for the record of a run, and for the solvers.
bool eq_ladder_option(Options& options);
bool eq_float32_option(Options& options);
bool adj_ladder_option(Options& options);

/// Registers all types with PETSc; further calls do nothing. Not collective.
void register_solver_types();
/// The parts of register_solver_types, each in the file that defines the types.
void register_snes_types();
void register_ksp_types();
void register_pc_types();

/// Collective on the world. Throws bad_input, which names the option, if a chosen type does not suit the map.
/// Checks the SNES, its nonlinear preconditioner, its members (composite), and the KSP and PC inside them.
void require_suited(SNES snes, const EquilibriumMap& map);
/// The same check for a KSP and its PC.
void require_suited(KSP ksp, const PanelOperator& panel);

/// Settings and results of a SNES or KSP of these types, beside PETSc's own.
struct SampleIteration {
  /// Whether samples that converge slowly are iterated to the end; if false, they are given up and left to
  /// the next solver. -snes_patient, -ksp_patient.
  bool patient = true;
  /// Depth of the Anderson mixing of every sample's own iterates: 0 (no mixing) to 8. The splittings have
  /// none. -snes_mixing, -ksp_mixing.
  int mixing = 0;

  /// Why the last solve gave up the first sample that it gave up; empty if it gave up none.
  std::string failure;
};
/// Not collective. Owned by the solver; null if its type is PETSc's.
[[nodiscard]] SampleIteration* sample_iteration(SNES snes);
[[nodiscard]] SampleIteration* sample_iteration(KSP ksp);

/// Makes GMRES and BiCGStab precondition on the right, unless the options choose a side: only then do they
/// monitor the true residual, which Poise's tolerances refer to. Call it once the KSP is set from options.
/// Not collective.
void precondition_on_the_right(KSP ksp);

// The rest is for the files that define the types. PETSc 3.23 changed the argument of setfromoptions.

#if PETSC_VERSION_GE(3, 23, 0)
using OptionItems = PetscOptionItems;
#else
using OptionItems = PetscOptionItems*;
#endif

/// An Error that all ranks of the world throw, because all have the same options.
inline Error refusal_of(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

/// For setfromoptions: reads an option of the object. Throws bad_input if the value is outside [low, high].
double real_option(OptionItems items, const char* name, const char* help, double value, double low,
                   double high);
int integer_option(OptionItems items, const char* name, const char* help, int value, int low, int high);
bool flag_option(OptionItems items, const char* name, const char* help, bool value);

/// The event of this name in PETSc's -log_view, for example "PCApply".
PetscLogEvent event_named(const char* name);

/// For setfromoptions and view: the part that SNES and KSP types have in common. `kind`: snes or ksp, the
/// first word of the options; `mixes`: whether the type has mixing.
void read_options(SampleIteration& iteration, OptionItems items, const std::string& kind, bool mixes);
void view(const SampleIteration& iteration, PetscViewer viewer, const std::string& description);

/// Prints a line, if the viewer prints text.
void view_line(PetscViewer viewer, const std::string& line);

}  // namespace solve
}  // namespace poise
