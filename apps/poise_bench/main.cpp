#include <algorithm>
#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise_bench/cases.hpp"
#include "poise_bench/graph_case.hpp"
#include "poise_bench/report.hpp"
#include "poise_bench/scaling.hpp"
#include "poise_bench/workload.hpp"

namespace poise::bench {
namespace {

constexpr const char* bench_usage =
    "poise-bench: times products, gradients and eigenvalues beside a large dgemm of the same run\n"
    "  mpirun -n 2 poise-bench -case collapsed -m 512 -n 4096\n"
    "  mpirun -n 2 poise-bench -case scaling -scaling_of equilibrium -m 2048 -grid_feature_ranks 2\n"
    "  mpirun -n 2 poise-bench -case graph -graph grid -nodes 1000000 -gamma 0.999\n"
    "  mpirun -n 2 poise-bench -case all -out results.h5    (then: plot_bench.py results.h5)";

using Reports = std::vector<BenchReport>;

/// The time that products with q columns cannot beat: one pass over S per product, flops at the speed of a
/// large dgemm.
void add_floor(BenchReport& report, const Workload& workload, const Timing& timing) {
  const Index entries = workload.layout.slice().size() * workload.layout.width();
  const double rate = read_rate(workload.grid.world(), entries);
  const auto width = static_cast<double>(workload.layout.width());
  const double bytes = 8.0 * width * width * timing.work().products / rate;
  const double flops = 1e-9 * timing.work().flops / median(timing.dgemm_gflops);
  report.add("read_gbytes_per_second", 1e-9 * rate);
  report.add("floor_bytes_seconds", bytes);
  report.add("floor_flops_seconds", flops);
  report.add("share_of_floor", std::max(bytes, flops) / median(timing.seconds));
}

/// The same gradient by plain iteration, once, compared with the default solver. It takes long, so it has
/// fewer samples of the same kind, and its time is scaled to all n.
void add_plain_iteration(BenchReport& report, const BenchSettings& settings, MPI_Comm comm,
                         const Timing& timing) {
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  const Index samples = std::min(settings.n, settings.plain_samples * (ranks / settings.feature_ranks));
  Workload workload(comm, "hard", settings, samples, settings.feature_ranks);
  Work plain;
  const double measured = time_once(comm, *make_plain_iteration(workload, settings), plain);
  const double seconds = measured * static_cast<double>(settings.n) / static_cast<double>(samples);
  const Work work = timing.work();
  const double products = plain.columns / plain.samples;
  report.add("plain_samples", static_cast<double>(samples));
  report.add("plain_products", products);
  report.add("plain_seconds", seconds);
  report.add("plain_residual", plain.residual);
  report.add("products_ratio", products * work.samples / work.columns);
  report.add("seconds_ratio", seconds / median(timing.seconds));
}

/// The time of a run in collapsed gradients of the same problem, each run next to one gradient.
void add_gradients(BenchReport& report, const BenchSettings& settings, MPI_Comm comm, BenchCase& bench_case,
                   BenchCase& gradient) {
  std::vector<double> ratios;
  for (Index r = -1; r < settings.repeat; ++r) {
    Work work;
    const double one = time_once(comm, gradient, work);
    const double other = time_once(comm, bench_case, work);
    if (r >= 0) ratios.push_back(other / one);
  }
  report.add("collapsed_gradients", median(ratios));
  report.add("collapsed_gradients_min", *std::min_element(ratios.begin(), ratios.end()));
}

constexpr const char* all_cases[] = {"product",   "collapsed", "equilibrium", "tanh_cold",
                                     "tanh_warm", "hard",      "lambda_min"};

/// Makes the solvers of all cases, one case at a time, so that misspelt options are found before the
/// measurements.
void rehearse(const BenchSettings& general, MPI_Comm comm) {
  for (const char* name : all_cases) {
    const BenchSettings settings = general.of(name);
    Workload workload(comm, name, settings, settings.n, settings.feature_ranks);
    (void)make_case(name, workload, settings);
  }
}

void measure_single(const std::string& name, const BenchSettings& general, MPI_Comm comm, Reports& reports,
                    const Options* unchecked = nullptr) {
  const BenchSettings settings = general.of(name);
  Workload workload(comm, name, settings, settings.n, settings.feature_ranks);
  const auto bench_case = make_case(name, workload, settings);
  const auto gradient = name == "lambda_min" ? make_case("collapsed", workload, settings) : nullptr;
  if (unchecked != nullptr) unchecked->reject_unknown();
  DgemmProbe probe(settings.dgemm_size);
  const Timing timing = measure(comm, *bench_case, probe, settings.repeat);
  BenchReport report(comm, name, settings, settings.n, workload.grid, timing);
  if (name == "collapsed") add_floor(report, workload, timing);
  if (auto* graph = dynamic_cast<GraphCase*>(bench_case.get())) graph->add_to(report, settings);
  if (name == "hard") add_plain_iteration(report, settings, comm, timing);
  if (gradient) add_gradients(report, settings, comm, *bench_case, *gradient);
  reports.push_back(std::move(report));
}

void print(const Reports& reports) {
  std::printf("%s\n", BenchReport::header().c_str());
  for (const BenchReport& report : reports) std::printf("%s\n", report.row().c_str());
  for (const BenchReport& report : reports) std::printf("%s\n", report.json().c_str());
}

/// Collective. Measures the case that the options name; rank 0 prints a table and one line of JSON per case.
ExitCode run_bench(Options& options, MPI_Comm comm) {
  const BenchSettings settings = BenchSettings::from(options);
  declare_bench_solvers(options);
  check_output(comm, settings.out);
  warn_about_blas(comm);
  Reports reports;
  if (settings.name == "scaling") {
    reports.push_back(measure_scaling(settings, comm, options));
  } else if (settings.name == "memory") {
    reports.push_back(measure_memory(settings, comm, options));
  } else if (settings.name == "depth_memory") {
    reports = measure_depth_memory(settings, comm, options);
  } else if (settings.name != "all") {
    measure_single(settings.name, settings, comm, reports, &options);
  } else {
    rehearse(settings, comm);
    options.reject_unknown();
    for (const char* name : all_cases) measure_single(name, settings, comm, reports);
  }
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank == 0) print(reports);
  on_root(comm, [&] { write_output(settings.out, reports); });
  return ExitCode::done;
}

}  // namespace
}  // namespace poise::bench

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, poise::bench::bench_usage,
      [](poise::Options& options) {
        (void)poise::bench::BenchSettings::from(options);
        poise::bench::declare_bench_solvers(options);
      },
      poise::bench::run_bench);
}
