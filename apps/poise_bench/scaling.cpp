#include "poise_bench/scaling.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "poise/base/check.hpp"

namespace poise::bench {
namespace {

/// A case on all ranks, and on rank 0 one of its own.
struct Pair {
  std::unique_ptr<Workload> alone;
  std::unique_ptr<BenchCase> one;
  BenchCase& all;
};

/// Both in turn.
struct Turns {
  Timing together;
  std::vector<double> alone_seconds, alone_gflops, speedups;
};

/// Collective. `size`: how much more work all ranks have than rank 0 alone.
Turns take_turns(MPI_Comm comm, Pair& pair, DgemmProbe& probe, Index repeat, double size) {
  Turns turns;
  for (Index r = -pair.all.warmups(); r < repeat; ++r) {
    double solo[2] = {0.0, 0.0};
    Work work;
    if (pair.one) {
      solo[0] = probe.gflops(MPI_COMM_SELF);
      solo[1] = time_once(MPI_COMM_SELF, *pair.one, work);
    }
    patient_barrier(comm);
    check_mpi(MPI_Bcast(solo, 2, MPI_DOUBLE, 0, comm));
    const double gflops = probe.gflops(comm);
    const double seconds = time_once(comm, pair.all, work);
    if (r < 0) continue;
    turns.together.add(seconds, gflops, work);
    turns.alone_gflops.push_back(solo[0]);
    turns.alone_seconds.push_back(solo[1]);
    turns.speedups.push_back(size * solo[1] / seconds);
  }
  return turns;
}

double least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

}  // namespace

void patient_barrier(MPI_Comm comm) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm, &request));
  for (int done = 0; done == 0;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

BenchReport measure_scaling(const BenchSettings& general, MPI_Comm comm, const Options& options) {
  const BenchSettings settings = general.of(general.scaling_of);
  int rank = 0;
  int ranks = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &ranks));
  const std::string& name = settings.scaling_of;
  const Index samples = settings.weak ? settings.n * ranks : settings.n;
  Workload workload(comm, name, settings, samples, settings.feature_ranks);
  const auto all = make_case(name, workload, settings);
  options.reject_unknown();
  Pair pair{nullptr, nullptr, *all};
  if (rank == 0) {
    pair.alone = std::make_unique<Workload>(MPI_COMM_SELF, name, settings, settings.n, 1);
    pair.one = make_case(name, *pair.alone, settings);
  }
  DgemmProbe probe(settings.dgemm_size);
  const Turns turns = take_turns(comm, pair, probe, settings.repeat, settings.weak ? ranks : 1.0);
  BenchReport report(comm, "scaling", settings, samples, workload.grid, turns.together);
  report.add_text("scaling", settings.weak ? "weak" : "strong");
  report.add_text("scaling_of", name);
  report.add("one_rank_seconds", median(turns.alone_seconds));
  report.add("one_rank_seconds_min", least(turns.alone_seconds));
  // Weak: of P times the work of one rank.
  report.add("speedup", median(turns.speedups));
  report.add("speedup_of_fastest",
             (settings.weak ? ranks : 1) * least(turns.alone_seconds) / least(turns.together.seconds));
  report.add("efficiency", median(turns.speedups) / ranks);
  // What independent products gain from the same ranks: less than their number if the machine is shared.
  report.add("dgemm_speedup", median(turns.together.dgemm_gflops) / median(turns.alone_gflops));
  return report;
}

}  // namespace poise::bench
