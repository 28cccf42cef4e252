#pragma once

#include "poise/base/options.hpp"
#include "poise_bench/report.hpp"

namespace poise::bench {

/// Collective. -case scaling: a case on rank 0 alone and on all ranks, in turn, so that noise affects both.
/// Strong: the same problem. Weak: n samples for rank 0 alone and n P on all P ranks. A rank then does the
/// same work on every grid: n P / P_s = n P_f samples with 1 / P_f of the weights' rows.
[[nodiscard]] BenchReport measure_scaling(const BenchSettings& settings, MPI_Comm comm,
                                          const Options& options);

/// Collective. Waits without taking the processor from the ranks that still work.
void patient_barrier(MPI_Comm comm);

/// Collective. -case memory: rank 0 alone with its n samples, then all ranks with n samples each: the memory
/// of rank 0 must not grow by the samples of others.
[[nodiscard]] BenchReport measure_memory(const BenchSettings& settings, MPI_Comm comm,
                                         const Options& options);

/// Collective. -case depth_memory: the memory that a gradient keeps, first by equilibria of the tanh model,
/// then by its unrolled network, one report per depth.
[[nodiscard]] std::vector<BenchReport> measure_depth_memory(const BenchSettings& settings, MPI_Comm comm,
                                                            const Options& options);

}  // namespace poise::bench
