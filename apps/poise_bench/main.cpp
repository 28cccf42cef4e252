#include <cstdio>

#include "poise/petsc/session.hpp"
#include "poise_bench/bench.hpp"
#include "poise_bench/settings.hpp"

namespace {

constexpr const char* usage =
    "poise-bench: times products, gradients and eigenvalues beside a large dgemm of the same run\n"
    "  mpirun -n 2 poise-bench -case collapsed -m 512 -n 4096\n"
    "  mpirun -n 2 poise-bench -case scaling -scaling_of equilibrium -m 2048 -grid_feature_ranks 2";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_program(argc, argv, [](poise::Session& session) {
    poise::Options options;
    if (!session.words().empty())
      throw poise::Error(
          poise::ExitCode::bad_input,
          "'" + session.words().front() + "' is not an option: options start with a dash (-help)", true);
    if (session.help_requested()) {
      (void)poise::BenchSettings::from(options);
      poise::declare_bench_solvers(options);
      int rank = 0;
      MPI_Comm_rank(MPI_COMM_WORLD, &rank);
      if (rank == 0) std::fputs(options.help(usage).c_str(), stdout);
      return poise::ExitCode::done;
    }
    return poise::run_bench(options, MPI_COMM_WORLD);
  });
}
