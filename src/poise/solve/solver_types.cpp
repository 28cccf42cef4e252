#include "poise/solve/solver_types.hpp"

#include <fmt/format.h>

#include <array>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/solver_options.hpp"

namespace poise {
inline namespace solve {
namespace {

PetscErrorCode read_real(OptionItems PetscOptionsObject, const char* name, const char* help,
                         PetscReal* value) {
  PetscFunctionBegin;
  PetscCall(PetscOptionsReal(name, help, "", *value, value, nullptr));
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

PetscErrorCode read_integer(OptionItems PetscOptionsObject, const char* name, const char* help,
                            PetscInt* value) {
  PetscFunctionBegin;
  PetscCall(PetscOptionsInt(name, help, "", *value, value, nullptr));
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

PetscErrorCode read_flag(OptionItems PetscOptionsObject, const char* name, const char* help,
                         PetscBool* value) {
  PetscFunctionBegin;
  PetscCall(PetscOptionsBool(name, help, "", *value, value, nullptr));
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

void require_inside(OptionItems items, const char* name, double value, double low, double high) {
  if (low <= value && value <= high) return;
  throw refusal_of(fmt::format("option -{}{}: value '{}' is not allowed; give a number in [{}, {}]",
                               items->prefix != nullptr ? items->prefix : "", name + 1, to_text(value),
                               to_text(low), to_text(high)));
}

}  // namespace

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
  return options.flag("eq_ladder", true,
                      "if a solver does not find an equilibrium, try the next solvers, for example "
                      "eq_newton_ and eq_anderson_");
}

bool eq_float32_option(Options& options) {
  return options.flag(
      "eq_float32", true,
      "compute products of the mean-field iterations in single precision while residuals are far above its "
      "rounding, if one rank holds all weights; the last residuals are always computed in double precision");
}

bool adj_ladder_option(Options& options) {
  return options.flag("adj_ladder", true,
                      "if a solver does not find an adjoint, try the next solvers, for example adj_gmres_");
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

double real_option(OptionItems items, const char* name, const char* help, double value, double low,
                   double high) {
  PetscReal read = value;
  check(read_real(items, name, help, &read));
  require_inside(items, name, read, low, high);
  return read;
}

int integer_option(OptionItems items, const char* name, const char* help, int value, int low, int high) {
  PetscInt read = value;
  check(read_integer(items, name, help, &read));
  require_inside(items, name, static_cast<double>(read), low, high);
  return static_cast<int>(read);
}

bool flag_option(OptionItems items, const char* name, const char* help, bool value) {
  PetscBool read = value ? PETSC_TRUE : PETSC_FALSE;
  check(read_flag(items, name, help, &read));
  return read == PETSC_TRUE;
}

PetscLogEvent event_named(const char* name) {
  PetscLogEvent event = -1;
  check(PetscLogEventGetId(name, &event));
  return event;
}

void view_line(PetscViewer viewer, const std::string& line) {
  PetscBool ascii = PETSC_FALSE;
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(viewer), PETSCVIEWERASCII, &ascii));
  if (ascii == PETSC_TRUE) check(PetscViewerASCIIPrintf(viewer, "  %s\n", line.c_str()));
}

void read_options(SampleIteration& iteration, OptionItems items, const std::string& kind, bool mixes) {
  iteration.patient =
      flag_option(items, ("-" + kind + "_patient").c_str(),
                  "iterate samples that converge slowly to the end; false: leave them to the next solver",
                  iteration.patient);
  if (!mixes) return;
  iteration.mixing = integer_option(items, ("-" + kind + "_mixing").c_str(),
                                    "depth of the Anderson mixing of every sample's iterates; 0: none",
                                    iteration.mixing, 0, 8);
}

void view(const SampleIteration& iteration, PetscViewer viewer, const std::string& description) {
  view_line(viewer, description);
  view_line(viewer,
            std::string("every sample by itself, to its own tolerance; slow samples are ") +
                (iteration.patient ? "iterated to the end" : "left to the next solver") +
                (iteration.mixing > 0 ? fmt::format("; Anderson mixing of depth {}", iteration.mixing) : ""));
}

}  // namespace solve
}  // namespace poise
