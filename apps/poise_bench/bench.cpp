#include "poise_bench/bench.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "poise/base/check.hpp"
#include "poise/linalg/blas.hpp"
#include "poise_bench/report.hpp"

namespace poise {
namespace {

using Reports = std::vector<BenchReport>;

/// Collective. Waits without taking the processor from the ranks that still work.
void patient_barrier(MPI_Comm comm) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm, &request));
  for (int done = 0; done == 0;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

/// What the q-column products cannot beat: S read once for each, its flops at the speed of a large dgemm.
void add_floor(BenchReport& report, const Workload& workload, const Timing& timing) {
  const Index entries = workload.layout.slice().size() * workload.layout.width();
  const double rate = read_rate(workload.grid.world(), entries);
  const auto width = static_cast<double>(workload.layout.width());
  const double bytes = 8.0 * width * width * static_cast<double>(timing.work.products) / rate;
  const double flops = 1e-9 * timing.flops / median(timing.dgemm_gflops);
  report.add("read_gbytes_per_second", 1e-9 * rate);
  report.add("floor_bytes_seconds", bytes);
  report.add("floor_flops_seconds", flops);
  report.add("share_of_floor", std::max(bytes, flops) / median(timing.seconds));
}

void measure_plain(const std::string& name, const BenchSettings& settings, MPI_Comm comm,
                   const Options& options, Reports& reports) {
  Workload workload(comm, settings, settings.n, settings.feature_ranks);
  const auto bench_case = make_case(name, workload, settings);
  // Every run is set beside a collapsed gradient of the same problem.
  const auto gradient = name == "lambda_min" ? make_case("collapsed", workload, settings) : nullptr;
  if (settings.name != "all") options.reject_unknown();
  DgemmProbe probe(settings.dgemm_size);
  const Timing timing = measure(comm, *bench_case, probe, settings.repeat);
  BenchReport report(comm, name, settings, settings.n, workload.grid, timing);
  if (name == "collapsed") add_floor(report, workload, timing);
  if (gradient) {
    std::vector<double> ratios;
    for (Index r = -1; r < settings.repeat; ++r) {
      Work work;
      const double one = time_once(comm, *gradient, work);
      const double other = time_once(comm, *bench_case, work);
      if (r >= 0) ratios.push_back(other / one);
    }
    report.add("collapsed_gradients", median(ratios));
    report.add("collapsed_gradients_min", *std::min_element(ratios.begin(), ratios.end()));
  }
  reports.push_back(std::move(report));
}

/// The same problem on rank 0 alone and on all ranks, in turn, so that noise hits both.
void measure_scaling(const BenchSettings& settings, MPI_Comm comm, const Options& options, Reports& reports) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  Workload workload(comm, settings, settings.n, settings.feature_ranks);
  const auto all = make_case(settings.scaling_of, workload, settings);
  options.reject_unknown();
  std::unique_ptr<Workload> alone;
  std::unique_ptr<BenchCase> one;
  if (rank == 0) {
    alone = std::make_unique<Workload>(MPI_COMM_SELF, settings, settings.n, 1);
    one = make_case(settings.scaling_of, *alone, settings);
  }
  DgemmProbe probe(settings.dgemm_size);
  Timing timing = measure(comm, *all, probe, 1);
  timing.seconds.clear();
  timing.dgemm_gflops.clear();
  std::vector<double> alone_seconds, alone_gflops, speedups;
  for (Index r = -1; r < settings.repeat; ++r) {
    double solo[2] = {0.0, 0.0};
    if (one) {
      Work work;
      solo[0] = probe.gflops(MPI_COMM_SELF);
      solo[1] = time_once(MPI_COMM_SELF, *one, work);
    }
    patient_barrier(comm);
    check_mpi(MPI_Bcast(solo, 2, MPI_DOUBLE, 0, comm));
    const double gflops = probe.gflops(comm);
    Work work;
    const double together = time_once(comm, *all, work);
    if (r < 0) continue;
    timing.dgemm_gflops.push_back(gflops);
    timing.seconds.push_back(together);
    alone_gflops.push_back(solo[0]);
    alone_seconds.push_back(solo[1]);
    speedups.push_back(solo[1] / together);
  }
  BenchReport report(comm, "scaling", settings, settings.n, workload.grid, timing);
  report.add_text("scaling_of", settings.scaling_of);
  report.add("one_rank_seconds", median(alone_seconds));
  report.add("one_rank_seconds_min", *std::min_element(alone_seconds.begin(), alone_seconds.end()));
  report.add("speedup", median(speedups));
  report.add("speedup_of_fastest", *std::min_element(alone_seconds.begin(), alone_seconds.end()) /
                                       *std::min_element(timing.seconds.begin(), timing.seconds.end()));
  // What independent products gain from the same ranks: less than their number if the machine is shared.
  report.add("dgemm_speedup", median(timing.dgemm_gflops) / median(alone_gflops));
  reports.push_back(std::move(report));
}

/// Rank 0 alone with its n samples, then all ranks with n each: rank 0 must not grow by what others hold.
void measure_memory(const BenchSettings& settings, MPI_Comm comm, const Options& options, Reports& reports) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  if (rank == 0) {
    Workload alone(MPI_COMM_SELF, settings, settings.n, 1);
    (void)make_case("equilibrium", alone, settings)->run();
  }
  patient_barrier(comm);
  const double before = peak_memory(comm).rank0;
  const Index samples = settings.n * (size / settings.feature_ranks);
  Workload workload(comm, settings, samples, settings.feature_ranks);
  const auto bench_case = make_case("equilibrium", workload, settings);
  options.reject_unknown();
  Timing timing;
  timing.seconds.push_back(time_once(comm, *bench_case, timing.work));
  const double peak = peak_memory(comm).rank0;
  DgemmProbe probe(settings.dgemm_size);
  timing.dgemm_gflops.push_back(probe.gflops(comm));
  check_mpi(MPI_Allreduce(&timing.work.flops, &timing.flops, 1, MPI_DOUBLE, MPI_SUM, comm));
  BenchReport report(comm, "memory", settings, samples, workload.grid, timing);
  report.add("rank0_alone_rss_mb", before);
  report.add("rank0_growth_mb", peak - before);
  report.add("samples_elsewhere_mb", 8e-6 * static_cast<double>((samples - settings.n) * settings.m));
  reports.push_back(std::move(report));
}

}  // namespace

ExitCode run_bench(Options& options, MPI_Comm comm) {
  const BenchSettings settings = BenchSettings::from(options);
  declare_bench_solvers(options);
  warn_about_blas(comm);
  Reports reports;
  if (settings.name == "scaling") {
    measure_scaling(settings, comm, options, reports);
  } else if (settings.name == "memory") {
    measure_memory(settings, comm, options, reports);
  } else if (settings.name != "all") {
    measure_plain(settings.name, settings, comm, options, reports);
  } else {
    for (const char* name : {"product", "collapsed", "equilibrium", "lambda_min"})
      measure_plain(name, settings, comm, options, reports);
    options.reject_unknown();
  }
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank != 0) return ExitCode::done;
  std::printf("%s\n", BenchReport::header().c_str());
  for (const BenchReport& report : reports) std::printf("%s\n", report.row().c_str());
  for (const BenchReport& report : reports) std::printf("%s\n", report.json().c_str());
  return ExitCode::done;
}

}  // namespace poise
