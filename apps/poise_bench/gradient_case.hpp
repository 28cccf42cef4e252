#pragma once

#include "poise/model/pointwise.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "poise_bench/cases.hpp"

namespace poise::bench {

/// Products with matrices, on this rank.
struct ProductCount {
  double columns = 0.0, bytes = 0.0, messages = 0.0;
  void add(const RowBlockMatrix& matrix);
};

/// Loss and gradient by equilibria and adjoints, from a cold start or along steps of descent (Recipe::warm).
class EquilibriumCase final : public BenchCase {
 public:
  /// Collective.
  EquilibriumCase(Workload& workload, const BenchSettings& settings);
  void prepare() override;
  Work run() override;
  /// A memory of three gradients is full before the first one that counts.
  [[nodiscard]] Index warmups() const override { return workload_.recipe.warm ? 3 : 1; }

 private:
  /// So far: products with the weights and with the solver's own matrix.
  [[nodiscard]] ProductCount count() const;

  Workload& workload_;
  double relative_step_;
  bool have_gradient_ = false;
  Pointwise map_;
  EquilibriumObjective objective_;
};

/// Loss and gradient of the unrolled network of some depth.
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
