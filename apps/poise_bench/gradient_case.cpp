#include "poise_bench/gradient_case.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise::bench {
namespace {

/// Flops on this rank of `columns` products, `outer` outer products of the gradient and the readout with its
/// two derivatives of every sample. What is no product of a panel, a factorisation above all, is left out:
/// it shows as a smaller rate.
double gradient_flops(const Workload& workload, double columns, double outer) {
  const auto rows = static_cast<double>(workload.layout.block().size());
  const auto samples = static_cast<double>(workload.problem.train.count);
  return 2.0 * rows * static_cast<double>(workload.layout.width()) * (columns + outer) +
         6.0 * rows * static_cast<double>(workload.layout.outputs()) * samples;
}

/// Of a gradient: everything but flops and solves.
Work work_of_products(const Workload& workload, const ProductCount& before, const ProductCount& after) {
  Work work;
  work.columns = after.columns - before.columns;
  work.samples = static_cast<double>(workload.problem.train.count);
  work.bytes = after.bytes - before.bytes;
  work.messages = after.messages - before.messages;
  // A product gathers a column, or adds up a column of partial sums: each of its m numbers goes to, or comes
  // from, the P_f − 1 ranks that do not own it. That is m (P_f − 1) numbers for the P_f ranks together.
  const double ranks = workload.grid.feature_ranks();
  work.bytes_model =
      8.0 * static_cast<double>(workload.layout.width()) * work.columns * (ranks - 1.0) / ranks;
  return work;
}

}  // namespace

void ProductCount::add(const RowBlockMatrix& matrix) {
  columns += static_cast<double>(matrix.columns_multiplied());
  bytes += matrix.traffic().bytes;
  messages += matrix.traffic().messages;
}

EquilibriumCase::EquilibriumCase(Workload& workload, const BenchSettings& settings)
    : workload_(workload),
      relative_step_(settings.relative_step),
      map_(workload.layout, workload.recipe.shape),
      objective_(
          workload.layout, map_, workload.problem,
          EquilibriumSettings{
              .panel = settings.panel, .rtol = workload.recipe.rtol, .warm_start = workload.recipe.warm}) {}

void EquilibriumCase::prepare() {
  if (!workload_.recipe.warm || !have_gradient_) return;
  PetscReal theta = 0.0;
  PetscReal gradient = 0.0;
  check(VecNorm(workload_.theta.get(), NORM_2, &theta));
  check(VecNorm(workload_.gradient.get(), NORM_2, &gradient));
  if (gradient > 0.0)
    check(VecAXPY(workload_.theta.get(), -relative_step_ * theta / gradient, workload_.gradient.get()));
}

ProductCount EquilibriumCase::count() const {
  ProductCount sum;
  sum.add(map_.pointwise_form()->weights);
  if (const auto& mean = objective_.equilibrium().mean_field()) {
    sum.add(mean->matrix());
    sum.columns += static_cast<double>(mean->single_columns_multiplied());
  }
  return sum;
}

Work EquilibriumCase::run() {
  const ProductCount before = count();
  const Evaluation result = objective_.value_and_gradient(workload_.theta.get(), workload_.gradient.get());
  have_gradient_ = true;
  Work work = work_of_products(workload_, before, count());
  work.flops = gradient_flops(workload_, work.columns, work.samples);
  // Each of the P_f ranks reports the same samples.
  work.fallbacks = static_cast<double>(result.equilibrium.fallbacks + result.adjoint.fallbacks) /
                   workload_.grid.feature_ranks();
  work.residual = std::max(result.equilibrium.residual, result.adjoint.residual);
  work.equilibrium_iterations = static_cast<double>(result.equilibrium.iterations);
  work.adjoint_iterations = static_cast<double>(result.adjoint.iterations);
  work.products = static_cast<double>(result.equilibrium.products + result.adjoint.products);
  return work;
}

UnrolledCase::UnrolledCase(Workload& workload, const BenchSettings& settings, Index depth)
    : workload_(workload),
      map_(workload.layout, workload.recipe.shape),
      depth_(depth),
      objective_(workload.layout, map_, workload.problem,
                 settings.panel > 0 ? settings.panel
                                    : EquilibriumObjective::default_panel(workload.layout.width() /
                                                                          workload.grid.feature_ranks()),
                 Unrolled{.depth = depth, .recompute_every = settings.recompute_every}) {}

Work UnrolledCase::run() {
  ProductCount before;
  before.add(map_.pointwise_form()->weights);
  (void)objective_.value_and_gradient(workload_.theta.get(), workload_.gradient.get());
  ProductCount after;
  after.add(map_.pointwise_form()->weights);
  Work work = work_of_products(workload_, before, after);
  work.flops = gradient_flops(workload_, work.columns, static_cast<double>(depth_) * work.samples);
  work.products = work.samples > 0.0 ? work.columns / work.samples : 0.0;
  return work;
}

std::unique_ptr<BenchCase> make_plain_iteration(Workload& workload, const BenchSettings& settings) {
  const TemporaryOptions plain({{"-eq_snes_type", "picard"},
                                {"-eq_snes_max_it", "1000000"},
                                {"-adj_ksp_type", "neumann"},
                                {"-adj_ksp_max_it", "1000000"}},
                               TemporaryOptions::replace);
  return std::make_unique<EquilibriumCase>(workload, settings);
}

std::unique_ptr<BenchCase> make_krylov(Workload& workload, const BenchSettings& settings) {
  const TemporaryOptions krylov({{"-eq_snes_type", "newtonls"}, {"-adj_ksp_type", "gmres"}},
                                TemporaryOptions::keep);
  return std::make_unique<EquilibriumCase>(workload, settings);
}

}  // namespace poise::bench
