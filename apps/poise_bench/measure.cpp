#include "poise_bench/measure.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/linalg/blas.hpp"

namespace poise::bench {
namespace {

double sum(MPI_Comm comm, double value) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, comm));
  return value;
}

int ranks(MPI_Comm comm) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  return size;
}

/// Collective. Seconds of `body` on the slowest rank, started together.
template <class Body>
double slowest(MPI_Comm comm, Body body) {
  check_mpi(MPI_Barrier(comm));
  const double start = MPI_Wtime();
  body();
  return largest(comm, MPI_Wtime() - start);
}

}  // namespace

double largest(MPI_Comm comm, double value) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, comm));
  return value;
}

DgemmProbe::DgemmProbe(Index size)
    : size_(size), a_(static_cast<std::size_t>(size * size), 1.0), b_(a_), c_(a_) {}

double DgemmProbe::gflops(MPI_Comm comm) {
  const double seconds = slowest(comm, [&] {
    gemm('N', 'N', size_, size_, size_, 1.0, a_.data(), size_, b_.data(), size_, 0.0, c_.data(), size_);
  });
  const auto n = static_cast<double>(size_);
  return 2e-9 * n * n * n * ranks(comm) / seconds;
}

double read_rate(MPI_Comm comm, Index doubles) {
  const std::vector<double> values(static_cast<std::size_t>(std::max<Index>(doubles, 64)), 1.0);
  constexpr std::size_t lanes = 64;
  double best = 0.0;
  for (int pass = 0; pass < 8; ++pass) {
    double sums[lanes] = {};
    const double seconds = slowest(comm, [&] {
      for (std::size_t i = 0; i + lanes <= values.size(); i += lanes)
        for (std::size_t k = 0; k < lanes; ++k) sums[k] += values[i + k];
    });
    double total = 0.0;  // goes into the result, else the compiler would leave the reading out
    for (const double lane : sums) total += lane;
    best = std::max(best, sum(comm, total > 0.0 ? static_cast<double>(8 * values.size()) : 0.0) / seconds);
  }
  return best;
}

void Timing::add(double one_seconds, double one_dgemm_gflops, const Work& one_work) {
  seconds.push_back(one_seconds);
  dgemm_gflops.push_back(one_dgemm_gflops);
  flops.push_back(one_work.flops);
  works.push_back(one_work);
}

Work Timing::work() const {
  Work sum;
  for (const Work& one : works) {
    for (double Work::*entry :
         {&Work::flops, &Work::columns, &Work::samples, &Work::bytes, &Work::messages, &Work::bytes_model,
          &Work::fallbacks, &Work::equilibrium_iterations, &Work::adjoint_iterations, &Work::products})
      sum.*entry += one.*entry / static_cast<double>(works.size());
    sum.residual = std::max(sum.residual, one.residual);
  }
  return sum;
}

double Timing::rate(const std::vector<double>& units) const {
  std::vector<double> rates;
  for (std::size_t r = 0; r < seconds.size(); ++r)
    rates.push_back(1e-9 * flops[r] / seconds[r] / (units.empty() ? 1.0 : units[r]));
  return median(rates);
}

double Timing::gflops() const {
  return rate({});
}

double Timing::share_of_dgemm() const {
  return rate(dgemm_gflops);
}

double Timing::best_share_of_dgemm() const {
  double best = 0.0;
  for (std::size_t r = 0; r < seconds.size(); ++r) best = std::max(best, 1e-9 * flops[r] / seconds[r]);
  return best / *std::max_element(dgemm_gflops.begin(), dgemm_gflops.end());
}

double time_once(MPI_Comm comm, BenchCase& bench_case, Work& work) {
  bench_case.prepare();
  const double seconds = slowest(comm, [&] { work = bench_case.run(); });
  work = work.over(comm);
  return seconds;
}

Timing measure(MPI_Comm comm, BenchCase& bench_case, DgemmProbe& probe, Index repeat) {
  Timing timing;
  (void)probe.gflops(comm);
  Work work;
  for (Index r = 0; r < bench_case.warmups(); ++r) (void)time_once(comm, bench_case, work);
  for (Index r = 0; r < repeat; ++r) {
    const double gflops = probe.gflops(comm);
    const double seconds = time_once(comm, bench_case, work);
    timing.add(seconds, gflops, work);
  }
  return timing;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  double size = 0.0;
  double resident = 0.0;
  file >> size >> resident;
  return file ? resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0 : 0.0;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

PeakMemory peak_memory(MPI_Comm comm) {
  rusage usage{};
  (void)getrusage(RUSAGE_SELF, &usage);
  PeakMemory peak;
  peak.rank0 = static_cast<double>(usage.ru_maxrss) / 1024.0;
  peak.most = largest(comm, peak.rank0);
  check_mpi(MPI_Bcast(&peak.rank0, 1, MPI_DOUBLE, 0, comm));
  return peak;
}

}  // namespace poise::bench
