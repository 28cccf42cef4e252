#include "poise/petsc/session.hpp"
#include "poise/run/stored_run.hpp"
#include "poise_spectrum/settings.hpp"
#include "poise_spectrum/spectrum.hpp"

namespace {

constexpr const char* usage =
    "poise-spectrum: spectral quantities of a checkpoint, with the non-normal ones where eigenvalues "
    "mislead\n"
    "  poise-spectrum -run runs/digits\n"
    "  mpirun -n 2 poise-spectrum -run runs/digits -step 100 -count 10 -json spectrum.json\n"
    "Every other option of the run is taken from the checkpoint; solver options given here win.";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        poise::declare_stored_run(options);
        (void)poise::spectrum::SpectrumSettings::from(options);
        poise::spectrum::declare_spectrum_solvers(options);
      },
      poise::spectrum::spectrum);
}
