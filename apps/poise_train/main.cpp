#include <cstdio>

#include "poise/petsc/session.hpp"
#include "poise_train/settings.hpp"
#include "poise_train/stop_request.hpp"
#include "poise_train/train.hpp"

namespace {

constexpr const char* usage =
    "poise-train: trains a deep equilibrium model and checks Theorem 1 while it runs\n"
    "  mpirun -n 2 poise-train -data data/digits.h5 -gamma 0.8 -time 6 -run runs/digits\n"
    "  mpirun -n 3 poise-train -run runs/digits -resume -time 12";

}  // namespace

int main(int argc, char** argv) {
  poise::listen_for_stop_requests();
  return poise::run_program(argc, argv, [](poise::Session& session) {
    poise::listen_for_stop_requests();
    poise::Options options;
    if (!session.words().empty())
      throw poise::Error(
          poise::ExitCode::bad_input,
          "'" + session.words().front() + "' is not an option: options start with a dash (-help)", true);
    if (session.help_requested()) {
      (void)poise::TrainSettings::from(options);
      poise::declare_solvers(options);
      int rank = 0;
      MPI_Comm_rank(MPI_COMM_WORLD, &rank);
      if (rank == 0) std::fputs(options.help(usage).c_str(), stdout);
      return poise::ExitCode::done;
    }
    return poise::train(options, MPI_COMM_WORLD);
  });
}
