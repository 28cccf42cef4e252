#pragma once

#include <petscsnes.h>

#include <functional>
#include <string>

#include "poise/base/process_grid.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {

// Names that Poise adds to PETSc's, so that they are chosen by options as all others are.
inline constexpr const char* snes_mean_field = "meanfield";                // -eq_snes_type
inline constexpr const char* snes_picard = "picard";                       // -eq_snes_type
inline constexpr const char* snes_forward_backward = "forwardbackward";    // -eq_snes_type
inline constexpr const char* snes_peaceman_rachford = "peacemanrachford";  // -eq_snes_type
inline constexpr const char* ksp_mean_field = "meanfield";                 // -adj_ksp_type
inline constexpr const char* ksp_neumann = "neumann";                      // -adj_ksp_type
inline constexpr const char* pc_mean_field = "meanfield";                  // -eq_pc_type, -adj_pc_type
inline constexpr const char* pc_sample_lu = "samplelu";                    // -eq_pc_type, -adj_pc_type

/// Whether a SNES or KSP type is one of them.
[[nodiscard]] bool is_column_iteration(const std::string& type);

/// Registers them with PETSc; does nothing after the first time. Not collective. The solvers run inside the
/// panel solvers of this folder, where columns can leave; PETSc's own use of them is an error that says so.
void register_solver_types();

/// Collective on the world. Throws bad_input if a preconditioner of that name does not suit a model with
/// these weights (null: not of the form a(Wz + u)). `option`: where it was chosen.
void require_suited(const std::string& preconditioner, const std::string& option,
                    const RowBlockMatrix* weights);

/// What the preconditioners of a panel need; composed with the operator Mat.
struct PanelPreconditioner {
  const MeanField* mean = nullptr;  ///< valid when the preconditioner is applied
  const RowBlockMatrix* weights = nullptr;
  std::function<const double*()> slopes;  ///< rows x columns of the linearisation; null for a linear map
  bool transposed = false;                ///< the operator is (I − ∂h/∂z)ᵀ
  Index columns = 0;
};
/// To be called when a KSP has its options: preconditions GMRES and BiCGStab on the right, whose residual is
/// the true one that Poise's tolerances mean, unless the options choose a side. Not collective.
void precondition_on_the_right(KSP ksp);
/// `data` must outlive the Mat.
void attach_preconditioner(Mat mat, PanelPreconditioner& data);

}  // namespace poise
