#include "poise_bench/scaling.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "poise/base/check.hpp"
#include "poise_bench/cases.hpp"

namespace poise::bench {
namespace {

/// A case on all ranks, and a second case on rank 0 alone.
struct Pair {
  std::unique_ptr<Workload> alone;
  std::unique_ptr<BenchCase> one;
  BenchCase& all;
};

/// Results of both cases of a pair, run in turn.
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

/// Collective. Makes a case, runs it and reports the growth of memory, on the rank where it grew most.
/// Solvers keep their blocks as long as the case lives, so the resident memory at the end is the memory of
/// the run. The peak would tell about the first of several cases only.
template <class Make>
BenchReport measure_growth(const BenchSettings& settings, MPI_Comm comm, Workload& workload,
                           DgemmProbe& probe, Make make) {
  (void)malloc_trim(0);
  const double before = resident_mb();
  const std::unique_ptr<BenchCase> bench_case = make();
  const Timing timing = measure(comm, *bench_case, probe, settings.repeat);
  const double grown = largest(comm, resident_mb() - before);
  BenchReport report(comm, "depth_memory", settings, settings.n, workload.grid, timing);
  report.add("working_mb", grown);
  return report;
}

/// The first gradients of a process also allocate what libraries need once (code, buffers of BLAS and MPI).
void warm_up(BenchSettings settings, MPI_Comm comm) {
  settings.m = std::min<Index>(settings.m, 64);
  Workload workload(comm, "depth_memory", settings, std::min<Index>(settings.n, 512), settings.feature_ranks);
  (void)EquilibriumCase(workload, settings).run();
  (void)UnrolledCase(workload, settings, 1).run();
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
  // Weak scaling: the speedup of P times the work of one rank.
  report.add("speedup", median(turns.speedups));
  report.add("speedup_of_fastest",
             (settings.weak ? ranks : 1) * least(turns.alone_seconds) / least(turns.together.seconds));
  report.add("efficiency", median(turns.speedups) / ranks);
  // The speedup of independent products on the same ranks: below their number if the machine is shared.
  report.add("dgemm_speedup", median(turns.together.dgemm_gflops) / median(turns.alone_gflops));
  return report;
}

BenchReport measure_memory(const BenchSettings& general, MPI_Comm comm, const Options& options) {
  const BenchSettings settings = general.of("equilibrium");
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  if (rank == 0) {
    Workload alone(MPI_COMM_SELF, "equilibrium", settings, settings.n, 1);
    (void)make_case("equilibrium", alone, settings)->run();
  }
  patient_barrier(comm);
  const double before = peak_memory(comm).rank0;
  const Index samples = settings.n * (size / settings.feature_ranks);
  Workload workload(comm, "equilibrium", settings, samples, settings.feature_ranks);
  const auto bench_case = make_case("equilibrium", workload, settings);
  options.reject_unknown();
  Work work;
  const double seconds = time_once(comm, *bench_case, work);
  const double peak = peak_memory(comm).rank0;
  DgemmProbe probe(settings.dgemm_size);
  Timing timing;
  timing.add(seconds, probe.gflops(comm), work);
  BenchReport report(comm, "memory", settings, samples, workload.grid, timing);
  report.add("rank0_alone_rss_mb", before);
  report.add("rank0_growth_mb", peak - before);
  report.add("samples_elsewhere_mb", 8e-6 * static_cast<double>((samples - settings.n) * settings.m));
  return report;
}

std::vector<BenchReport> measure_depth_memory(const BenchSettings& general, MPI_Comm comm,
                                              const Options& options) {
  const BenchSettings settings = general.of("depth_memory");
  // Blocks of one case go back to the system before the next one: glibc would raise the threshold and keep
  // them.
  (void)mallopt(M_MMAP_THRESHOLD, 65536);
  warm_up(settings, comm);
  Workload workload(comm, "depth_memory", settings, settings.n, settings.feature_ranks);
  DgemmProbe probe(settings.dgemm_size);
  (void)probe.gflops(comm);
  std::vector<BenchReport> reports;
  reports.push_back(measure_growth(settings, comm, workload, probe, [&] {
    auto bench_case = std::make_unique<EquilibriumCase>(workload, settings);
    options.reject_unknown();
    return bench_case;
  }));
  reports.back().add_text("network", "equilibrium");
  for (const Index depth : settings.depths) {
    reports.push_back(measure_growth(settings, comm, workload, probe, [&] {
      return std::make_unique<UnrolledCase>(workload, settings, depth);
    }));
    reports.back().add_text("network", "unrolled");
    reports.back().add("depth", static_cast<double>(depth));
    reports.back().add("recompute_every", static_cast<double>(settings.recompute_every));
  }
  return reports;
}

}  // namespace poise::bench
