#include "poise_bench/memory.hpp"

#include <malloc.h>

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise_bench/gradient_case.hpp"
#include "poise_bench/scaling.hpp"

namespace poise::bench {
namespace {

/// Collective. Makes a case, runs it and reports by how much this took more memory, on the rank where it grew
/// most. Blocks of the solvers stay as long as the case does, so the resident memory at the end is what the
/// run needed; the peak would only tell of the first of several cases.
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

/// The first gradients of a process also take what libraries need once (code, buffers of BLAS and MPI).
void warm_up(BenchSettings settings, MPI_Comm comm) {
  settings.m = std::min<Index>(settings.m, 64);
  Workload workload(comm, "depth_memory", settings, std::min<Index>(settings.n, 512), settings.feature_ranks);
  (void)EquilibriumCase(workload, settings).run();
  (void)UnrolledCase(workload, settings, 1).run();
}

}  // namespace

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
