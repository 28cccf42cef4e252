#include "poise/base/diagnostics.hpp"

#include <petscversion.h>

#include <algorithm>
#include <map>
#include <utility>

namespace poise {
inline namespace base {
namespace {

using enum Diagnostic::Value;
constexpr auto by_type = Diagnostic::Asked::by_type;
constexpr auto always = Diagnostic::Asked::always;

// From the sources of PETSc 3.18 to 3.26 and of SLEPc 3.18: the options that SetFromOptions and the solves
// read. Options about convergence rates and adaptive meshes are left out, because they need a DM.
const std::map<std::string, std::vector<Diagnostic>> table{
    {"SNES",
     {{"snes_view"},
      {"snes_view_pre"},
      {"snes_view_solution"},
      {"snes_converged_reason"},
      {"snes_converged_reason_view_cancel", other},
      {"snes_error_if_not_converged", other},
      {"snes_monitor"},
      {"snes_monitor_short"},
      {"snes_monitor_range"},
      {"snes_monitor_ratio"},
      {"snes_monitor_field", unfit},
      {"snes_monitor_fields", unfit},
      {"snes_monitor_residual"},
      {"snes_monitor_solution"},
      {"snes_monitor_solution_update"},
      {"snes_monitor_lg_range", flag},
      {"snes_monitor_jacupdate_spectrum", flag},
      {"snes_monitor_python", other},
      {"snes_monitor_pause_final", other},
      {"snes_monitor_cancel", other},
      {"snes_test_local_min", flag},
      {"snes_ngmres_monitor", flag, by_type},
      {"snes_anderson_monitor", flag, by_type},
      {"snes_ncg_monitor", flag, by_type},
      {"snes_qn_monitor", flag, by_type},
      {"snes_fas_monitor", viewer, by_type},
      {"snes_vi_monitor", flag, by_type}}},
    {"SNESJacobian",
     {{"snes_test_jacobian", flag},
      {"snes_test_jacobian_view", other},
      {"snes_compare_explicit", flag},
      {"snes_compare_explicit_draw", flag},
      {"snes_compare_explicit_draw_contour", flag},
      {"snes_compare_operator", other}}},
    {"SNESLineSearch",
     {{"snes_linesearch_monitor", viewer, by_type},
      {"snes_linesearch_monitor_solution_update", viewer, by_type}}},
    {"KSP",
     {{"ksp_view"},
      {"ksp_view_pre"},
      {"ksp_view_mat"},
      {"ksp_view_pmat"},
      {"ksp_view_rhs"},
      {"ksp_view_solution"},
      {"ksp_view_mat_explicit"},
      {"ksp_view_eigenvalues"},
      {"ksp_view_eigenvalues_explicit"},
      {"ksp_view_singularvalues"},
      {"ksp_view_final_residual"},
      {"ksp_view_preconditioned_operator_explicit"},
      {"ksp_view_diagonal_scale", unfit, always, 0, 25},
      {"ksp_converged_reason"},
      {"ksp_converged_rate"},
      {"ksp_converged_reason_view_cancel", other},
      {"ksp_error_if_not_converged", other},
      {"ksp_monitor"},
      {"ksp_monitor_short"},
      {"ksp_monitor_range"},
      {"ksp_monitor_true_residual"},
      {"ksp_monitor_max"},
      {"ksp_monitor_singular_value"},
      {"ksp_monitor_solution"},
      {"ksp_monitor_error", unfit},
      {"ksp_monitor_lg_range", flag},
      {"ksp_monitor_python", other},
      {"ksp_monitor_pause_final", other},
      {"ksp_monitor_cancel", other},
      {"ksp_gmres_krylov_monitor", flag, by_type},
      {"ksp_lsqr_monitor", viewer, by_type},
      {"ksp_pipelcg_monitor", flag, by_type},
      {"ksp_guess_fischer_monitor", flag, by_type},
      {"ksp_guess_pod_monitor", flag, by_type}}},
    {"TS",
     {{"ts_view"},
      {"ts_view_pre"},
      {"ts_view_solution"},
      {"ts_error_if_step_fails", other},
      {"ts_adapt_monitor", flag},
      {"ts_monitor"},
      {"ts_monitor_cancel", other},
      {"ts_monitor_frequency", other},
      {"ts_monitor_solution"},
      {"ts_monitor_solution_skip_initial", other, always, 24},
      {"ts_monitor_solution_vtk", unfit},
      {"ts_monitor_extreme"},
      {"ts_monitor_error"},
      {"ts_monitor_envelope", other},
      {"ts_monitor_wall_clock_time", viewer, always, 24},
      {"ts_monitor_draw_solution", flag},
      {"ts_monitor_draw_solution_phase", flag},
      {"ts_monitor_draw_error", flag},
      {"ts_monitor_lg_solution", flag},
      {"ts_monitor_lg_error", flag},
      {"ts_monitor_lg_timestep", flag},
      {"ts_monitor_lg_timestep_log", flag},
      {"ts_monitor_lg_snes_iterations", flag, by_type},
      {"ts_monitor_lg_ksp_iterations", flag, by_type},
      {"ts_monitor_sp_eig", flag, by_type},
      {"ts_monitor_python", other}}},
    {"TAO",
     {{"tao_view"},
      {"tao_view_solution"},
      {"tao_view_gradient", viewer, always, 0, 20},
      {"tao_view_residual", unfit, always, 0, 20},
      {"tao_view_stepdirection", viewer, always, 0, 20},
      {"tao_converged_reason"},
      {"tao_monitor"},
      {"tao_smonitor"},
      {"tao_gmonitor"},
      {"tao_cmonitor"},
      {"tao_cancelmonitors", other},
      {"tao_draw_solution", flag},
      {"tao_draw_gradient", flag},
      {"tao_draw_step", flag},
      {"tao_monitor_short", viewer, always, 21},
      {"tao_monitor_globalization", viewer, always, 21},
      {"tao_monitor_constraint_norm", viewer, always, 21},
      {"tao_monitor_solution", viewer, always, 21},
      {"tao_monitor_gradient", viewer, always, 21},
      {"tao_monitor_step", viewer, always, 21},
      {"tao_monitor_residual", unfit, always, 21},
      {"tao_monitor_solution_draw", flag, always, 21},
      {"tao_monitor_gradient_draw", flag, always, 21},
      {"tao_monitor_step_draw", flag, always, 21},
      {"tao_monitor_cancel", other, always, 21},
      {"tao_monitor_interval", other, always, 26},
      {"tao_test_gradient", flag},
      {"tao_test_gradient_view", other}}},
    {"TAOHessian", {{"tao_test_hessian", flag}, {"tao_test_hessian_view", other}}},
    {"TAOLineSearch", {{"tao_ls_view"}, {"tao_ls_monitor"}}},
    {"EPS",
     {{"eps_view"},
      {"eps_view_pre"},
      {"eps_view_values"},
      {"eps_view_vectors"},
      {"eps_view_mat0"},
      {"eps_converged_reason"},
      {"eps_error_absolute"},
      {"eps_error_relative"},
      {"eps_error_backward", unfit},
      {"eps_monitor"},
      {"eps_monitor_all"},
      {"eps_monitor_conv"},
      {"eps_monitor_cancel", other},
      {"rg_view"}}},
    {"GEPS", {{"eps_view_mat1"}}}};

bool is_current(const Diagnostic& one) {
  return one.since <= PETSC_VERSION_MINOR && PETSC_VERSION_MINOR <= one.until;
}

/// The objects inside a solver, each with the part of its prefix after the solver's prefix.
std::vector<std::pair<std::string, std::string>> parts(const std::string& kind) {
  using Parts = std::vector<std::pair<std::string, std::string>>;
  if (kind == "KSP") return {{"", "KSP"}, {"ksp_", "KSP"}};
  if (kind == "EPS") return {{"", "EPS"}, {"", "GEPS"}, {"st_", "KSP"}};
  Parts all;
  if (kind == "TAO") {
    all = {{"", "TAO"}, {"", "TAOHessian"}, {"", "TAOLineSearch"}};
    for (const char* type : {"bnk", "nls", "ntr", "ntl"})
      all.emplace_back("tao_" + std::string(type) + "_", "KSP");
    return all;
  }
  if (kind != "SNES" && kind != "TS") return all;
  if (kind == "TS") all.emplace_back("", "TS");
  for (const char* nested : {"", "npc_", "sub_0_", "sub_1_", "sub_2_"}) {
    if (kind == "TS" && *nested != '\0') break;
    for (const char* object : {"SNES", "SNESJacobian", "SNESLineSearch", "KSP"})
      all.emplace_back(nested, object);
  }
  return all;
}

}  // namespace

const std::vector<Diagnostic>& diagnostics(const std::string& object) {
  static const std::map<std::string, std::vector<Diagnostic>> current = [] {
    auto kept = table;
    for (auto& [name, all] : kept) std::erase_if(all, [](const Diagnostic& one) { return !is_current(one); });
    return kept;
  }();
  return current.at(object);
}

std::vector<std::string> diagnostic_names(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& [prefix, object] : parts(kind))
    for (const Diagnostic& one : diagnostics(object)) names.push_back(prefix + one.name);
  return names;
}

}  // namespace base
}  // namespace poise
