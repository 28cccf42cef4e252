#pragma once

#include <memory>
#include <string>

#include "poise_bench/workload.hpp"

namespace poise {

/// What one run of a case did.
struct Work {
  double flops = 0.0;     ///< of dense products, on this rank
  Index products = 0;     ///< with S or its transpose; of the equilibrium: by panels, those of this rank
  double residual = 0.0;  ///< worst relative residual of the solves
};

/// One thing that is measured. Collective on the workload's world.
class BenchCase {
 public:
  virtual ~BenchCase() = default;
  BenchCase() = default;
  BenchCase(const BenchCase&) = delete;
  BenchCase& operator=(const BenchCase&) = delete;
  virtual Work run() = 0;
};

/// Collective. `name`: product (S times q columns, then its transpose), collapsed or equilibrium (loss and
/// gradient), lambda_min (D's factors and its smallest eigenvalue from a cold start). `workload` must outlive
/// it.
[[nodiscard]] std::unique_ptr<BenchCase> make_case(const std::string& name, Workload& workload,
                                                   const BenchSettings& settings);

}  // namespace poise
