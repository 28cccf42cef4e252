#pragma once

#include <cstdint>
#include <string>

#include "poise/base/options.hpp"
#include "poise/model/loss.hpp"

namespace poise {

/// Every option of poise-bench that is not PETSc's own.
struct BenchSettings {
  std::string name, scaling_of;
  Index m = 512, n = 4096, q = 10, repeat = 15, panel = 0, dgemm_size = 1024;
  int feature_ranks = 1;
  std::uint64_t seed = 0;
  double gamma = 0.9, init_scale_a = 1.0, init_scale_b = 1.0;
  LossKind loss = LossKind::cross_entropy;

  /// Declares and reads them all. Throws bad_input.
  static BenchSettings from(Options& options);
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-bench uses.
void declare_bench_solvers(Options& options);

}  // namespace poise
