#include "poise/solve/petsc_types.hpp"

#include "poise/base/options.hpp"

namespace poise {
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
  throw refusal_of("option -" + std::string(items->prefix != nullptr ? items->prefix : "") + (name + 1) +
                   ": value '" + to_text(value) + "' is not allowed; give a number in [" + to_text(low) +
                   ", " + to_text(high) + "]");
}

}  // namespace

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
  iteration.patient = flag_option(
      items, ("-" + kind + "_patient").c_str(),
      "go on with samples that converge slowly, not: leave them to the next solver", iteration.patient);
  if (!mixes) return;
  iteration.mixing = integer_option(items, ("-" + kind + "_mixing").c_str(),
                                    "depth of the Anderson mixing of every sample's iterates; 0: none",
                                    iteration.mixing, 0, 8);
}

void view(const SampleIteration& iteration, PetscViewer viewer, const std::string& description) {
  view_line(viewer, description);
  view_line(
      viewer,
      std::string("every sample by itself, to its own tolerance; slow samples are ") +
          (iteration.patient ? "iterated to the end" : "left to the next solver") +
          (iteration.mixing > 0 ? "; Anderson mixing of depth " + std::to_string(iteration.mixing) : ""));
}

}  // namespace poise
