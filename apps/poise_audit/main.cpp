#include "poise/audit/audit.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/settings.hpp"

namespace {

constexpr const char* usage =
    "poise-audit: checks a run from its checkpoints alone\n"
    "  mpirun -n 2 poise-audit -run runs/digits\n"
    "  mpirun -n 4 poise-audit -run runs/digits -json verdict.json -replay_steps 0\n"
    "Options of the run are taken from its checkpoints; give none of them here, but -data where the data "
    "have "
    "moved.";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        (void)poise::AuditOptions::from(options);
        (void)poise::TrainSettings::from(options);
        poise::declare_audit_solvers(options);
      },
      poise::audit);
}
