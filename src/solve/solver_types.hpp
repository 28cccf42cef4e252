#pragma once

#include <petscsnes.h>

#include <string>

#include "poise/base/process_grid.hpp"

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

/// Whether a SNES or KSP type is one of them.
[[nodiscard]] bool is_column_iteration(const std::string& type);

/// The value of an option, with the dash; empty if it is not given. Not collective.
[[nodiscard]] std::string given_option(const char* name);

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
/// The same for a KSP and its PC; `panel` null: what is behind the Mat is no panel.
void require_suited(KSP ksp, const PanelOperator* panel);

/// What PETSc's object does not tell of the last solve of a SNES or KSP that is_column_iteration.
struct IterationReport {
  Index products = 0;  ///< with the weights or K, a panel each
  std::string reason;  ///< why the first sample that was given up was; empty if none was
};
[[nodiscard]] IterationReport report_of(SNES snes);
[[nodiscard]] IterationReport report_of(KSP ksp);

/// Whether a SNES of these types goes on with samples that converge slowly (true, the default) or gives them
/// up, so that the next solver gets them (false); -snes_patient. The same for a KSP: -ksp_patient.
void set_patient(SNES snes, bool patient);
void set_patient(KSP ksp, bool patient);
/// Depth of the Anderson mixing of every sample's own iterates in SNES meanfield and perron and KSP meanfield
/// (0: none; at most 8); -snes_mixing, -ksp_mixing.
void set_mixing(SNES snes, int depth);
void set_mixing(KSP ksp, int depth);

/// To be called when a KSP has its options: preconditions GMRES and BiCGStab on the right, whose residual is
/// the true one that Poise's tolerances mean, unless the options choose a side. Not collective.
void precondition_on_the_right(KSP ksp);

}  // namespace poise
