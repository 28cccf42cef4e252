#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/model/loss.hpp"

namespace poise::bench {

/// Every option of poise-bench that is not PETSc's own. Zero stands for "the case's own default": see `of`.
struct BenchSettings {
  std::string name, scaling_of, out, matrix_type;
  bool weak = false;
  Index m = 0, n = 4096, q = 10, repeat = 0, panel = 0, dgemm_size = 1024;
  Index plain_samples = 512, recompute_every = 0;
  std::vector<Index> depths;
  int feature_ranks = 1;
  std::uint64_t seed = 0;
  double gamma = 0.0, init_scale_a = 1.0, init_scale_b = 1.0, relative_step = 1e-3;
  const Loss* loss = cross_entropy_loss();

  /// Declares and reads them all. Throws bad_input.
  static BenchSettings from(Options& options);
  /// The same with the defaults of one case filled in.
  [[nodiscard]] BenchSettings of(const std::string& case_name) const;
};

/// Declares the prefixes of PETSc's and SLEPc's solvers that poise-bench uses.
void declare_bench_solvers(Options& options);

}  // namespace poise::bench
