#pragma once

#include <petscsnes.h>
#include <petsctao.h>

#include <limits>

// Names that PETSc and SLEPc changed between 3.18 and 3.26. All other code uses the names of this file.

namespace poise {
inline namespace base {

/// Arguments of setters: `petsc_unchanged` leaves a parameter as it is, `petsc_chosen` lets PETSc or SLEPc
/// choose it.
#if PETSC_VERSION_GE(3, 22, 0)
constexpr int petsc_unchanged = PETSC_CURRENT;
constexpr int petsc_chosen = PETSC_DETERMINE;
#else
constexpr int petsc_unchanged = PETSC_DEFAULT;
constexpr int petsc_chosen = PETSC_DEFAULT;
#endif

/// PETSC_MAX_INT, later PETSC_INT_MAX.
constexpr PetscInt largest_petsc_int = std::numeric_limits<PetscInt>::max();

#if PETSC_VERSION_GE(3, 19, 0)
constexpr KSPConvergedReason negative_curvature = KSP_CONVERGED_NEG_CURVE;
#else
constexpr KSPConvergedReason negative_curvature = KSP_CONVERGED_CG_NEG_CURVE;
#endif

#if PETSC_VERSION_GE(3, 25, 0)
constexpr SNESConvergedReason function_not_finite = SNES_DIVERGED_FUNCTION_NANORINF;
#else
constexpr SNESConvergedReason function_not_finite = SNES_DIVERGED_FNORM_NAN;
#endif

/// The line search that always takes the full step.
#if PETSC_VERSION_GE(3, 26, 0)
constexpr const char* whole_steps = SNESLINESEARCHNONE;
#else
constexpr const char* whole_steps = SNESLINESEARCHBASIC;
#endif

/// Options of TS, without dash and prefix. Newer PETSc still reads the old names, too.
#if PETSC_VERSION_GE(3, 25, 0)
constexpr const char* ts_step_option = "ts_time_step";
#else
constexpr const char* ts_step_option = "ts_dt";
#endif

/// TaoMonitorSet without a destructor.
inline PetscErrorCode set_tao_monitor(Tao tao, PetscErrorCode (*monitor)(Tao, void*), void* context) {
#if PETSC_VERSION_GE(3, 21, 0)
  return TaoMonitorSet(tao, monitor, context, nullptr);
#else
  return TaoSetMonitor(tao, monitor, context, nullptr);
#endif
}

/// The type of the functions that MatShellSetOperation takes.
#if PETSC_VERSION_GE(3, 24, 0)
using ShellFunction = PetscErrorCodeFn*;
#else
using ShellFunction = void (*)();
#endif

}  // namespace base
}  // namespace poise
