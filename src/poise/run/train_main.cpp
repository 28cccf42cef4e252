#include "poise/run/train_main.hpp"

#include "poise/petsc/session.hpp"
#include "poise/run/ensemble.hpp"
#include "poise/run/requests.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/train.hpp"

namespace poise {
namespace {

constexpr const char* train_usage =
    "poise-train: trains a deep equilibrium model and checks Theorem 1 while it runs\n"
    "  mpirun -n 2 poise-train -data data/digits.h5 -gamma 0.8 -time 6 -run runs/digits\n"
    "  mpirun -n 3 poise-train -run runs/digits -resume -time 12\n"
    "  mpirun -n 4 poise-train -ensemble table.txt -ensemble_ranks 2 -data data/digits.h5 -run runs/many";

ExitCode train_one_or_many(Options& options, MPI_Comm comm) {
  Options early;  // of an ensemble, these are not options of a training
  EnsembleSettings ensemble = EnsembleSettings::from(early);
  if (ensemble.file.empty()) return train(options, comm);
  ensemble.read_run(early);
  return train_ensemble(comm, ensemble);
}

}  // namespace

int train_main(int argc, char** argv) {
  listen_for_requests();
  return run_options_program(
      argc, argv, train_usage,
      [](Options& options) {
        (void)TrainSettings::from(options);
        (void)EnsembleSettings::from(options);
        declare_train_solvers(options);
      },
      train_one_or_many);
}

}  // namespace poise
