#pragma once

#include <mpi.h>

#include <vector>

#include "poise_bench/cases.hpp"

namespace poise::bench {

/// A square product of large matrices on every rank at the same time: the rate with which other rates are
/// compared.
class DgemmProbe {
 public:
  explicit DgemmProbe(Index size);
  /// Collective. Rate of all ranks together, in 1e9 floating point operations per second.
  double gflops(MPI_Comm comm);

 private:
  Index size_;
  std::vector<double> a_, b_, c_;
};

/// Collective. The rate at which all ranks together read arrays of `doubles` numbers each, in bytes per
/// second (the best of some passes), from cache or memory.
[[nodiscard]] double read_rate(MPI_Comm comm, Index doubles);

/// Repeated runs of one case, each next to a run of the probe: noise of the machine affects both.
struct Timing {
  std::vector<double> seconds;  ///< of the slowest rank
  std::vector<double> dgemm_gflops;
  std::vector<double> flops;  ///< all ranks
  std::vector<Work> works;    ///< see Work::over

  void add(double one_seconds, double one_dgemm_gflops, const Work& one_work);
  /// Average over the runs; of residuals the largest.
  [[nodiscard]] Work work() const;
  [[nodiscard]] double gflops() const;
  /// Median over the runs of their rate over the rate of the probe next to them: the share of the time that
  /// the flops would need at the speed of a large product.
  [[nodiscard]] double share_of_dgemm() const;
  /// The rate of the fastest run over the rate of the fastest probe.
  [[nodiscard]] double best_share_of_dgemm() const;

 private:
  /// Median over the runs of their rate, 1e9 flops a second, over units[run]; without units: the rate.
  [[nodiscard]] double rate(const std::vector<double>& units) const;
};

/// Collective. Seconds of one run on the slowest rank; `work` becomes the work of all ranks.
double time_once(MPI_Comm comm, BenchCase& bench_case, Work& work);
/// Collective. Warm-up runs, then `repeat` measured runs.
[[nodiscard]] Timing measure(MPI_Comm comm, BenchCase& bench_case, DgemmProbe& probe, Index repeat);

[[nodiscard]] double median(std::vector<double> values);
[[nodiscard]] double mean(const std::vector<double>& values);

/// Collective. Largest resident memory so far, MB: of rank 0 and of the rank with the most.
struct PeakMemory {
  double rank0 = 0.0, most = 0.0;
};
[[nodiscard]] PeakMemory peak_memory(MPI_Comm comm);
/// Not collective. Resident memory of this process now, MB; 0 if the system does not tell.
[[nodiscard]] double resident_mb();
/// Collective. The largest value of all ranks.
[[nodiscard]] double largest(MPI_Comm comm, double value);

}  // namespace poise::bench
