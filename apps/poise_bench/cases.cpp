#include "poise_bench/cases.hpp"

#include <algorithm>
#include <cmath>

#include "poise/model/softmax_linear.hpp"
#include "poise/objective/collapsed_objective.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/theory/smallest_eigenvalue.hpp"

namespace poise {
namespace {

/// What the speed of the gradients is stated for.
constexpr double bench_rtol = 1e-10;

/// 2 m_r m p: this rank's part of products with p columns in all.
double product_flops(const RowBlockMatrix& matrix, Index columns) {
  return 2.0 * static_cast<double>(matrix.local_rows() * matrix.width()) * static_cast<double>(columns);
}

class ProductCase final : public BenchCase {
 public:
  explicit ProductCase(Workload& workload)
      : q_(workload.layout.outputs()), matrix_(workload.grid.world(), workload.layout.slice_offsets()) {
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
    return {product_flops(matrix_, 2 * q_), 2, error};
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
    const Index columns = model_.softmax().columns_multiplied() - before;
    const auto q = static_cast<double>(workload_.layout.outputs());
    const double own_rows = static_cast<double>(workload_.layout.slice().size());
    double flops = product_flops(model_.softmax(), columns) +
                   2.0 * q * own_rows * static_cast<double>(workload_.layout.width());
    if (loss_.gram() == nullptr)
      flops += 4.0 * q * static_cast<double>(workload_.layout.block().size()) *
               static_cast<double>(workload_.problem.train.count);
    return {flops, result.equilibrium.products + result.adjoint.products,
            std::max(result.equilibrium.residual, result.adjoint.residual)};
  }

 private:
  Workload& workload_;
  CollapsedModel model_;
  ShallowLoss loss_;
  CollapsedObjective objective_;
};

class EquilibriumCase final : public BenchCase {
 public:
  EquilibriumCase(Workload& workload, const BenchSettings& settings)
      : workload_(workload),
        map_(workload.layout, settings.gamma),
        objective_(workload.layout, map_, workload.problem,
                   settings.panel > 0 ? settings.panel
                                      : EquilibriumObjective::default_panel(workload.layout.block().size()),
                   bench_rtol) {}
  Work run() override {
    const Index before = map_.columns_multiplied();
    const Evaluation result = objective_.value_and_gradient(workload_.theta.get(), workload_.gradient.get());
    const auto columns = static_cast<double>(map_.columns_multiplied() - before);
    const auto rows = static_cast<double>(map_.local_states());
    const auto count = static_cast<double>(workload_.problem.train.count);
    const double flops = 2.0 * rows * static_cast<double>(workload_.layout.width()) * (columns + count) +
                         6.0 * rows * static_cast<double>(workload_.layout.outputs()) * count;
    return {flops, result.equilibrium.products + result.adjoint.products,
            std::max(result.equilibrium.residual, result.adjoint.residual)};
  }

 private:
  Workload& workload_;
  SoftmaxLinear map_;
  EquilibriumObjective objective_;
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
    return {product_flops(model_.softmax(), model_.softmax().columns_multiplied() - before), result.products,
            result.residual * result.lambda_min};
  }

 private:
  CollapsedModel model_;
  DynamicsMatrix dynamics_;
  SmallestEigensolver solver_;
};

}  // namespace

std::unique_ptr<BenchCase> make_case(const std::string& name, Workload& workload,
                                     const BenchSettings& settings) {
  if (name == "product") return std::make_unique<ProductCase>(workload);
  if (name == "collapsed") return std::make_unique<CollapsedCase>(workload, settings);
  if (name == "lambda_min") return std::make_unique<SmallestEigenvalueCase>(workload, settings);
  return std::make_unique<EquilibriumCase>(workload, settings);
}

}  // namespace poise
