#include "poise/petsc/session.hpp"
#include "poise/run/ensemble.hpp"
#include "poise/run/requests.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/train.hpp"

namespace {

constexpr const char* usage =
    "poise-train: trains a deep equilibrium model and checks Theorem 1 while it runs\n"
    "  mpirun -n 2 poise-train -data data/digits.h5 -gamma 0.8 -time 6 -run runs/digits\n"
    "  mpirun -n 3 poise-train -run runs/digits -resume -time 12\n"
    "  mpirun -n 4 poise-train -ensemble table.txt -ensemble_ranks 2 -data data/digits.h5 -run runs/many";

poise::ExitCode run(poise::Options& options, MPI_Comm comm) {
  poise::Options early;  // of an ensemble, these are not options of a training
  poise::EnsembleSettings ensemble = poise::EnsembleSettings::from(early);
  if (ensemble.file.empty()) return poise::train(options, comm);
  ensemble.read_run(early);
  return poise::train_ensemble(comm, ensemble);
}

}  // namespace

int main(int argc, char** argv) {
  poise::listen_for_requests();
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        (void)poise::TrainSettings::from(options);
        (void)poise::EnsembleSettings::from(options);
        poise::declare_train_solvers(options);
      },
      run);
}
