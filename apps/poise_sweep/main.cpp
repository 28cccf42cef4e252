#include "poise/petsc/session.hpp"
#include "poise_sweep/settings.hpp"
#include "poise_sweep/sweep.hpp"

namespace {

constexpr const char* usage =
    "poise-sweep: many small runs at the same time on groups of ranks, one table\n"
    "  mpirun -n 2 poise-sweep -study width -data data/digits.h5 -widths 2,4,8 -run runs/widths\n"
    "  mpirun -n 2 poise-sweep -study step_size -data data/digits.h5 -run runs/steps\n"
    "  plot_run.py runs/widths";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        (void)poise::sweep::SweepSettings::from(options);
        poise::sweep::declare_sweep_solvers(options);
      },
      poise::sweep::run_sweep);
}
