#pragma once

#include <memory>
#include <string>

#include "poise/model/pointwise.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "poise_bench/workload.hpp"

namespace poise::bench {

/// The work of one run of a case.
struct Work {
  // Added up over the ranks.
  double flops = 0.0;    ///< in dense products, on this rank
  double columns = 0.0;  ///< multiplied by the weights and by the solver's own matrix, on this rank
  double samples = 0.0;  ///< of this rank; 0 if products do not depend on samples
  double bytes = 0.0, messages = 0.0;  ///< sent for these products by this rank (RowBlockMatrix::Traffic)
  double bytes_model = 0.0;            ///< the bytes that follow from the columns
  double fallbacks = 0.0;  ///< samples that the first solver did not solve, over the ranks that share them
  // The largest of all ranks.
  double residual = 0.0;  ///< worst relative residual of the solves
  double equilibrium_iterations = 0.0, adjoint_iterations = 0.0;
  // Of this rank.
  double products = 0.0;  ///< with S or its transpose; in equilibrium solves with panels

  /// Collective. The sums and largest numbers over all ranks.
  [[nodiscard]] Work over(MPI_Comm comm) const;
};

/// A case that is measured. Collective on the world of the workload.
class BenchCase {
 public:
  virtual ~BenchCase() = default;
  BenchCase() = default;
  BenchCase(const BenchCase&) = delete;
  BenchCase& operator=(const BenchCase&) = delete;
  /// Called before every run, outside the measured time.
  virtual void prepare() {}
  virtual Work run() = 0;
  /// Number of runs before the measured runs.
  [[nodiscard]] virtual Index warmups() const { return 1; }
};

/// 2 m_r m p: the flops of this rank in products with p columns.
[[nodiscard]] double product_flops(const RowBlockMatrix& matrix, double columns);

/// Collective. `name`: product (S times q columns, then its transpose), collapsed, equilibrium,
/// equilibrium_gmres, tanh_cold, tanh_warm or hard (loss and gradient), lambda_min (D's factors and its
/// smallest eigenvalue from a cold start), graph. `workload` must outlive it.
[[nodiscard]] std::unique_ptr<BenchCase> make_case(const std::string& name, Workload& workload,
                                                   const BenchSettings& settings);

/// Products with matrices, on this rank.
struct ProductCount {
  double columns = 0.0, bytes = 0.0, messages = 0.0;
  void add(const RowBlockMatrix& matrix);
};

/// The work between two counts of products with the weights, without flops and solves. Not collective.
[[nodiscard]] Work work_of_products(const Workload& workload, const ProductCount& before,
                                    const ProductCount& after);

/// Loss and gradient by equilibria and adjoints, from a cold start or along steps of descent (Recipe::warm).
class EquilibriumCase final : public BenchCase {
 public:
  /// Collective.
  EquilibriumCase(Workload& workload, const BenchSettings& settings);
  void prepare() override;
  Work run() override;
  /// The memory of three gradients is full before the first measured run.
  [[nodiscard]] Index warmups() const override { return workload_.recipe.warm ? 3 : 1; }

 private:
  /// Products so far, with the weights and with the solver's own matrix.
  [[nodiscard]] ProductCount count() const;

  Workload& workload_;
  double relative_step_;
  bool have_gradient_ = false;
  Pointwise map_;
  EquilibriumObjective objective_;
};

/// Loss and gradient of the unrolled network of a given depth.
class UnrolledCase final : public BenchCase {
 public:
  /// Collective.
  UnrolledCase(Workload& workload, const BenchSettings& settings, Index depth);
  Work run() override;

 private:
  Workload& workload_;
  Pointwise map_;
  Index depth_;
  UnrolledObjective objective_;
};

/// The equilibria by plain iteration and the adjoints by their Neumann series, for comparison; for `workload`
/// and `settings` see make_case. Collective.
[[nodiscard]] std::unique_ptr<BenchCase> make_plain_iteration(Workload& workload,
                                                              const BenchSettings& settings);
/// newtonls and gmres, unless the options choose others. Collective.
[[nodiscard]] std::unique_ptr<BenchCase> make_krylov(Workload& workload, const BenchSettings& settings);

}  // namespace poise::bench
