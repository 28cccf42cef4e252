#pragma once

#include "poise/base/options.hpp"
#include "poise_bench/report.hpp"

namespace poise::bench {

/// Collective. -case scaling: a case on rank 0 alone and on all ranks, in turn, so that noise hits both.
/// Strong: the same problem. Weak: n samples for rank 0 alone and n P on all P ranks. A rank then does the
/// same work on every grid: n P / P_s = n P_f samples with 1 / P_f of the weights' rows.
[[nodiscard]] BenchReport measure_scaling(const BenchSettings& settings, MPI_Comm comm,
                                          const Options& options);

/// Collective. Waits without taking the processor from the ranks that still work.
void patient_barrier(MPI_Comm comm);

}  // namespace poise::bench
