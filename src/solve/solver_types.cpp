#include "poise/solve/solver_types.hpp"

#include <array>

#include "poise/base/check.hpp"

namespace poise {

bool is_column_iteration(const std::string& type) {
  for (const char* name : {snes_mean_field, snes_picard, snes_perron, snes_forward_backward,
                           snes_peaceman_rachford, ksp_neumann})
    if (type == name) return true;
  return false;
}

std::string given_option(const char* name) {
  std::array<char, 64> value{};
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsGetString(nullptr, nullptr, name, value.data(), value.size(), &given));
  return given == PETSC_TRUE ? value.data() : "";
}

void register_solver_types() {
  static bool done = false;
  if (done) return;
  register_snes_types();
  register_ksp_types();
  register_pc_types();
  done = true;
}

}  // namespace poise
