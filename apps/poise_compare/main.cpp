#include "poise/petsc/session.hpp"
#include "poise_compare/compare.hpp"
#include "poise_compare/settings.hpp"

namespace {

constexpr const char* usage =
    "poise-compare: the implicit model, its truncations, a shallow and a feedforward network on the same "
    "data\n"
    "  mpirun -n 2 poise-compare -options_file petsc_opts/compare_digits.opts -run runs/compare\n"
    "  python3 apps/plot_run.py runs/compare";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        (void)poise::compare::CompareSettings::from(options);
        poise::compare::declare_compare_solvers(options);
      },
      poise::compare::compare);
}
