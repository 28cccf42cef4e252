#include "poise/audit/audit_main.hpp"

#include "poise/audit/audit.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/settings.hpp"

namespace poise {
namespace {

constexpr const char* audit_usage =
    "poise-audit: checks a run from its checkpoints alone\n"
    "  mpirun -n 2 poise-audit -run runs/digits\n"
    "  mpirun -n 4 poise-audit -run runs/digits -json verdict.json -replay_steps 0\n"
    "Options of the run are taken from its checkpoints; give none of them here, but -data where the data "
    "have "
    "moved.";

}  // namespace

int audit_main(int argc, char** argv) {
  return run_options_program(
      argc, argv, audit_usage,
      [](Options& options) {
        (void)AuditOptions::from(options);
        (void)TrainSettings::from(options);
        declare_audit_solvers(options);
      },
      audit);
}

}  // namespace poise
