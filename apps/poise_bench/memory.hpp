#pragma once

#include "poise/base/options.hpp"
#include "poise_bench/report.hpp"

namespace poise::bench {

/// Collective. -case memory: rank 0 alone with its n samples, then all ranks with n each: rank 0 must not
/// grow by what others hold.
[[nodiscard]] BenchReport measure_memory(const BenchSettings& settings, MPI_Comm comm,
                                         const Options& options);

/// Collective. -case depth_memory: what a gradient keeps in memory, by the equilibria of the tanh model first
/// and then by its unrolled network, a report a depth.
[[nodiscard]] std::vector<BenchReport> measure_depth_memory(const BenchSettings& settings, MPI_Comm comm,
                                                            const Options& options);

}  // namespace poise::bench
