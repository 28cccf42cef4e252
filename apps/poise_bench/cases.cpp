#include "poise_bench/cases.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/petsc/options_database.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise_bench/graph_case.hpp"

namespace poise::bench {
namespace {

/// Tolerance of the solves of the collapsed model.
constexpr double bench_rtol = 1e-10;

class ProductCase final : public BenchCase {
 public:
  explicit ProductCase(Workload& workload)
      : q_(workload.layout.outputs()),
        matrix_(workload.grid.world(), workload.layout.slice_offsets(), workload.layout.matrix_type()) {
    const auto rows = static_cast<std::size_t>(matrix_.local_rows());
    std::fill_n(matrix_.rows(), matrix_.local_rows() * matrix_.width(),
                1.0 / static_cast<double>(matrix_.width()));
    x_.assign(rows * static_cast<std::size_t>(q_), 1.0);
    y_.resize(x_.size());
  }
  Work run() override {
    matrix_.multiply(q_, x_.data(), y_.data());
    matrix_.multiply_transpose(q_, x_.data(), y_.data());
    double error = 0.0;  // both products of the constant matrix keep columns of ones
    for (const double y : y_) error = std::max(error, std::abs(y - 1.0));
    Work work;
    work.columns = static_cast<double>(2 * q_);
    work.flops = product_flops(matrix_, work.columns);
    work.products = 2;
    work.residual = error;
    return work;
  }

 private:
  Index q_;
  RowBlockMatrix matrix_;
  std::vector<double> x_, y_;
};

class CollapsedCase final : public BenchCase {
 public:
  CollapsedCase(Workload& workload, const BenchSettings& settings)
      : workload_(workload),
        model_(workload.layout, settings.gamma, bench_rtol),
        loss_(workload.layout, workload.problem),
        objective_(model_, loss_) {}
  Work run() override {
    // Write access marks θ as changed; otherwise the model sees that it has solved for it already.
    { const WriteArray touched(workload_.theta.get()); }
    const Index before = model_.softmax().columns_multiplied();
    const Evaluation result = objective_.value_and_gradient(workload_.theta.get(), workload_.gradient.get());
    const auto columns = static_cast<double>(model_.softmax().columns_multiplied() - before);
    const auto q = static_cast<double>(workload_.layout.outputs());
    const double own_rows = static_cast<double>(workload_.layout.slice().size());
    double flops = product_flops(model_.softmax(), columns) +
                   4.0 * q * own_rows * static_cast<double>(workload_.layout.width());
    if (loss_.factor() == nullptr)
      flops += 4.0 * q * static_cast<double>(workload_.layout.block().size()) *
               static_cast<double>(workload_.problem.train.count);
    Work work;
    work.flops = flops;
    work.columns = columns;
    work.residual = std::max(result.equilibrium.residual, result.adjoint.residual);
    work.equilibrium_iterations = static_cast<double>(result.equilibrium.iterations);
    work.adjoint_iterations = static_cast<double>(result.adjoint.iterations);
    work.products = static_cast<double>(result.equilibrium.products + result.adjoint.products);
    return work;
  }

 private:
  Workload& workload_;
  CollapsedModel model_;
  ShallowLoss loss_;
  CollapsedObjective objective_;
};

class SmallestEigenvalueCase final : public BenchCase {
 public:
  SmallestEigenvalueCase(Workload& workload, const BenchSettings& settings)
      : model_(workload.layout, settings.gamma, bench_rtol),
        dynamics_(model_.softmax(), settings.gamma, settings.q),
        solver_(dynamics_, settings.seed) {
    (void)model_.set_parameters(workload.theta.get());
  }
  Work run() override {
    const Index before = model_.softmax().columns_multiplied();
    dynamics_.update(model_.w());
    solver_.set_eigenvectors({});
    const SmallestEigenvalue result = solver_.solve();
    Work work;
    work.columns = static_cast<double>(model_.softmax().columns_multiplied() - before);
    work.flops = product_flops(model_.softmax(), work.columns);
    work.residual = result.residual * result.lambda_min;
    work.products = static_cast<double>(result.products);
    return work;
  }

 private:
  CollapsedModel model_;
  DynamicsMatrix dynamics_;
  SmallestEigensolver solver_;
};

/// Flops on this rank: `columns` products, `outer` outer products of the gradient, and per sample the readout
/// with its two derivatives. Other work, such as a factorisation, is not counted; it makes the rate smaller.
double gradient_flops(const Workload& workload, double columns, double outer) {
  const auto rows = static_cast<double>(workload.layout.block().size());
  const auto samples = static_cast<double>(workload.problem.train.count);
  return 2.0 * rows * static_cast<double>(workload.layout.width()) * (columns + outer) +
         6.0 * rows * static_cast<double>(workload.layout.outputs()) * samples;
}

}  // namespace

double product_flops(const RowBlockMatrix& matrix, double columns) {
  return 2.0 * static_cast<double>(matrix.local_rows() * matrix.width()) * columns;
}

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

Work Work::over(MPI_Comm comm) const {
  double sums[] = {flops, columns, samples, bytes, messages, bytes_model, fallbacks};
  double largest[] = {residual, equilibrium_iterations, adjoint_iterations};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums, 7, MPI_DOUBLE, MPI_SUM, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, largest, 3, MPI_DOUBLE, MPI_MAX, comm));
  Work all{sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], largest[0], largest[1], largest[2]};
  all.products = products;
  return all;
}

std::unique_ptr<BenchCase> make_case(const std::string& name, Workload& workload,
                                     const BenchSettings& settings) {
  if (name == "product") return std::make_unique<ProductCase>(workload);
  if (name == "collapsed") return std::make_unique<CollapsedCase>(workload, settings);
  if (name == "lambda_min") return std::make_unique<SmallestEigenvalueCase>(workload, settings);
  if (name == "graph") return std::make_unique<GraphCase>(workload, settings);
  if (name == "equilibrium_gmres") return make_krylov(workload, settings);
  return std::make_unique<EquilibriumCase>(workload, settings);
}

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
