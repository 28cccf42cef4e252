#include "poise/petsc/session.hpp"
#include "poise_bench/bench.hpp"
#include "poise_bench/settings.hpp"

namespace {

constexpr const char* usage =
    "poise-bench: times products, gradients and eigenvalues beside a large dgemm of the same run\n"
    "  mpirun -n 2 poise-bench -case collapsed -m 512 -n 4096\n"
    "  mpirun -n 2 poise-bench -case scaling -scaling_of equilibrium -m 2048 -grid_feature_ranks 2\n"
    "  mpirun -n 2 poise-bench -case all -out results.h5    (then: plot_bench.py results.h5)";

}  // namespace

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, usage,
      [](poise::Options& options) {
        (void)poise::bench::BenchSettings::from(options);
        poise::bench::declare_bench_solvers(options);
      },
      poise::bench::run_bench);
}
