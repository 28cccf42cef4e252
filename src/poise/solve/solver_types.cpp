#include "poise/solve/solver_types.hpp"

#include <array>

#include "poise/base/check.hpp"
#include "poise/petsc/solver_options.hpp"

namespace poise {

bool is_own_snes(const std::string& type) {
  return type == snes_mean_field || type == snes_picard || type == snes_perron ||
         type == snes_forward_backward || type == snes_peaceman_rachford;
}

bool is_own_ksp(const std::string& type) {
  return type == ksp_mean_field || type == ksp_neumann;
}

std::string given_option(const char* name) {
  std::array<char, 64> value{};
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsGetString(nullptr, nullptr, name, value.data(), value.size(), &given));
  return given == PETSC_TRUE ? value.data() : "";
}

bool eq_ladder_option(Options& options) {
  return options.flag(
      "eq_ladder", true,
      "where equilibria are not found, try the next solvers, among them eq_newton_ and eq_anderson_");
}

bool eq_float32_option(Options& options) {
  return options.flag(
      "eq_float32", true,
      "products of the mean-field iterations in single precision while residuals are far above its rounding, "
      "where one rank holds all weights; the residuals at the end are those of double precision");
}

bool adj_ladder_option(Options& options) {
  return options.flag("adj_ladder", true,
                      "where adjoints are not found, try the next solvers, among them adj_gmres_");
}

void register_solver_types() {
  static bool done = false;
  if (done) return;
  register_snes_types();
  register_ksp_types();
  register_pc_types();
  reserve_types({snes_mean_field, snes_picard, snes_perron, snes_forward_backward, snes_peaceman_rachford,
                 ksp_neumann, pc_sample_lu},
                "the equilibria and adjoints of Poise (-eq_..., -adj_...)");
  done = true;
}

}  // namespace poise
