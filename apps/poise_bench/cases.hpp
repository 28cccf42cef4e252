#pragma once

#include <memory>
#include <string>

#include "poise_bench/workload.hpp"

namespace poise::bench {

/// What one run of a case did.
struct Work {
  // Add up over the ranks.
  double flops = 0.0;    ///< of dense products, on this rank
  double columns = 0.0;  ///< multiplied by the weights and by the solver's own matrix, on this rank
  double samples = 0.0;  ///< of this rank; 0 where products have nothing to do with samples
  double bytes = 0.0, messages = 0.0;  ///< sent for these products by this rank (RowBlockMatrix::Traffic)
  double bytes_model = 0.0;            ///< what they should be, from the columns
  double fallbacks =
      0.0;  ///< samples that the first choice of solver did not solve, over the ranks that share them
  // The largest of the ranks counts.
  double residual = 0.0;  ///< worst relative residual of the solves
  double equilibrium_iterations = 0.0, adjoint_iterations = 0.0;
  // Of this rank.
  double products = 0.0;  ///< with S or its transpose; of the equilibrium: by panels

  /// Collective. The sums and the largest of all ranks.
  [[nodiscard]] Work over(MPI_Comm comm) const;
};

/// One thing that is measured. Collective on the workload's world.
class BenchCase {
 public:
  virtual ~BenchCase() = default;
  BenchCase() = default;
  BenchCase(const BenchCase&) = delete;
  BenchCase& operator=(const BenchCase&) = delete;
  /// Comes before every run, outside the time that is measured.
  virtual void prepare() {}
  virtual Work run() = 0;
  /// Runs that come before those that are counted.
  [[nodiscard]] virtual Index warmups() const { return 1; }
};

/// 2 m_r m p: this rank's part of products with p columns in all.
[[nodiscard]] double product_flops(const RowBlockMatrix& matrix, double columns);

/// Collective. `name`: product (S times q columns, then its transpose), collapsed, equilibrium,
/// equilibrium_gmres, tanh_cold, tanh_warm or hard (loss and gradient), lambda_min (D's factors and its
/// smallest eigenvalue from a cold start). `workload` must outlive it.
[[nodiscard]] std::unique_ptr<BenchCase> make_case(const std::string& name, Workload& workload,
                                                   const BenchSettings& settings);

}  // namespace poise::bench
