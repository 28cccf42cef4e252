#pragma once

#include <petscsnes.h>

#include <string>

#include "poise/base/options.hpp"

namespace poise {

class EquilibriumMap;
class PanelOperator;

// Types that Poise adds to PETSc's, chosen, viewed and monitored as all others are. They iterate every sample
// of a panel by itself, and samples that are done leave it. Monitors and histories get the residual of the
// worst sample that is still iterated, relative to the size that its tolerance is relative to.
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

/// Whether a SNES type, or a KSP type, is one of them.
[[nodiscard]] bool is_own_snes(const std::string& type);
[[nodiscard]] bool is_own_ksp(const std::string& type);

/// The value of an option, with the dash; empty if it is not given. Not collective.
[[nodiscard]] std::string given_option(const char* name);

/// Declare and read options of Poise's solvers: for -help and the record of a run, and for the solvers.
bool eq_ladder_option(Options& options);
bool eq_float32_option(Options& options);
bool adj_ladder_option(Options& options);

/// Registers them with PETSc; does nothing after the first time. Not collective.
void register_solver_types();
/// The parts of it, one a file.
void register_snes_types();
void register_ksp_types();
void register_pc_types();

/// Collective on the world. Throws bad_input, naming the option, where a type that the options chose does not
/// suit the map: of the SNES, of its nonlinear preconditioner, of its members (composite), of KSP and PC in
/// them.
void require_suited(SNES snes, const EquilibriumMap& map);
/// The same for a KSP and its PC.
void require_suited(KSP ksp, const PanelOperator& panel);

/// What a SNES or KSP of these types has beside PETSc's settings and results.
struct SampleIteration {
  /// Goes on with samples that converge slowly, or gives them up, so that the next solver gets them.
  /// -snes_patient, -ksp_patient.
  bool patient = true;
  /// Depth of the Anderson mixing of every sample's own iterates, of all but the splittings: 0 (none) to 8.
  /// -snes_mixing, -ksp_mixing.
  int mixing = 0;

  /// Of the last solve: why the first sample that was given up was; empty if none was.
  std::string failure;
};
/// Not collective. Owned by the solver; null if its type is PETSc's.
[[nodiscard]] SampleIteration* sample_iteration(SNES snes);
[[nodiscard]] SampleIteration* sample_iteration(KSP ksp);

/// To be called when a KSP has its options: preconditions GMRES and BiCGStab on the right, whose residual is
/// the true one that Poise's tolerances mean, unless the options choose a side. Not collective.
void precondition_on_the_right(KSP ksp);

}  // namespace poise
