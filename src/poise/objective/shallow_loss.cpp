#include "poise/objective/shallow_loss.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace objective {
namespace {

/// Columns of Φ per product: so few that the panel is still in cache when it is used the second time.
Index panel_width(Index rows) {
  return std::clamp<Index>((1 << 16) / std::max<Index>(rows, 1), 64, 4096);
}

}  // namespace

ShallowLoss::ShallowLoss(const ParameterLayout& layout, const Problem& problem)
    : layout_(layout),
      problem_(problem),
      slice_(static_cast<std::size_t>(layout.slice().size() * layout.outputs())),
      block_(static_cast<std::size_t>(layout.block().size() * layout.outputs())),
      gradient_block_(block_.size()) {
  if (problem.loss->least_squares())
    factor_ = std::make_unique<TriangularFactor>(triangular_factor(layout, problem.train));
}

Score ShallowLoss::value_and_gradient(const double* w, double* gradient) {
  static const LogEvent event("ShallowLoss");
  const auto scope = event.begin();
  return factor_ ? evaluate_factor(w, gradient) : pass_over_samples(w, problem_.train, true, gradient);
}

Score ShallowLoss::score(const double* w, const SampleSet& samples) {
  if (samples.total == 0) return {};
  return pass_over_samples(w, samples, false, nullptr);
}

Score ShallowLoss::evaluate_factor(const double* w, double* gradient) {
  const Index q = layout_.outputs();
  const double s = problem_.scale(problem_.train.total);
  factor_->r.multiply(q, w, slice_.data());
  double sum = 0.0;
  for (std::size_t i = 0; i < slice_.size(); ++i) {
    slice_[i] -= factor_->targets[i];  // R₁Wᵀ − T
    sum += slice_[i] * slice_[i];
  }
  factor_->r.multiply_transpose(q, slice_.data(), gradient);
  for (std::size_t i = 0; i < slice_.size(); ++i) gradient[i] *= 2.0 * s;
  static const LogEvent event("LossReduce");
  const auto scope = event.begin();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, layout_.grid().world()));
  return {s * (sum + factor_->rest_norm2), std::numeric_limits<double>::quiet_NaN()};
}

void ShallowLoss::load_block(const double* w) {
  const Index q = layout_.outputs();
  transpose(layout_.slice().size(), q, w, slice_.data());
  layout_.gather_block(slice_.data(), q, gradient_block_.data());  // W, q x block rows
  transpose(q, layout_.block().size(), gradient_block_.data(), block_.data());
  std::fill(gradient_block_.begin(), gradient_block_.end(), 0.0);
}

void ShallowLoss::multiply_panel(const double* phi, Index columns) {
  const Index q = layout_.outputs();
  const Index rows = layout_.block().size();
  outputs_.resize(std::max(outputs_.size(), static_cast<std::size_t>(q * columns)));
  transposed_.resize(outputs_.size());
  // Read by rows, a panel of Φ is a matrix with one sample per row, and is multiplied by Wᵀ, which has few
  // columns.
  multiply_rows(columns, rows, q, phi, rows, block_.data(), rows, false, transposed_.data(), columns);
  transpose(columns, q, transposed_.data(), outputs_.data());
  if (layout_.grid().feature_ranks() > 1)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, outputs_.data(), mpi_count(q * columns), MPI_DOUBLE, MPI_SUM,
                            layout_.grid().feature()));
}

void ShallowLoss::add_panel(const double* phi, Index columns) {
  const Index q = layout_.outputs();
  const Index rows = layout_.block().size();
  transpose(q, columns, outputs_.data(), transposed_.data());
  multiply_rows_transpose(columns, rows, q, phi, rows, transposed_.data(), columns, true,
                          gradient_block_.data(), rows);
}

void ShallowLoss::write_sum(double scale, double* out) {
  const Index q = layout_.outputs();
  transpose(layout_.block().size(), q, gradient_block_.data(), block_.data());
  layout_.reduce_block(block_.data(), q, slice_.data());
  transpose(q, layout_.slice().size(), slice_.data(), out);
  for (Index e = 0; e < q * layout_.slice().size(); ++e) out[e] *= scale;
}

void ShallowLoss::visit_outputs(const double* w, const SampleSet& samples, const OutputVisitor& visit) {
  pass_over_panels(w, samples, false, visit);
}

void ShallowLoss::sum_over_outputs(const double* w, const SampleSet& samples, const OutputVisitor& visit,
                                   double* out) {
  pass_over_panels(w, samples, true, visit);
  write_sum(problem_.scale(samples.total), out);
}

void ShallowLoss::pass_over_panels(const double* w, const SampleSet& samples, bool with_sum,
                                   const OutputVisitor& visit) {
  const Index rows = layout_.block().size();
  load_block(w);
  const Index panel = panel_width(rows);
  for (Index first = 0; first < samples.count; first += panel) {
    const Index columns = std::min(panel, samples.count - first);
    const double* phi = samples.features.data() + first * rows;
    multiply_panel(phi, columns);
    visit(first, columns, outputs_.data());
    if (with_sum) add_panel(phi, columns);
  }
}

Score ShallowLoss::pass_over_samples(const double* w, const SampleSet& samples, bool with_gradient,
                                     double* gradient) {
  const Index q = layout_.outputs();
  LossSum sum;
  pass_over_panels(w, samples, with_gradient, [&](Index first, Index columns, double* f) {
    const LossSum part = problem_.loss->evaluate(q, columns, f, samples.targets.data() + first * q,
                                                 with_gradient ? f : nullptr, samples.weights_from(first));
    sum.loss += part.loss;
    sum.correct += part.correct;
  });
  if (with_gradient) write_sum(problem_.scale(samples.total), gradient);
  const LossSum total = sum_over_samples(layout_.grid(), sum);
  return {problem_.scale(samples.total) * total.loss,
          static_cast<double>(total.correct) / static_cast<double>(samples.total)};
}

void ShallowLoss::linearise(const double* w) {
  if (factor_) return;
  const SampleSet& train = problem_.train;
  const Index q = layout_.outputs();
  probabilities_.resize(static_cast<std::size_t>(q * train.count));
  visit_outputs(w, train, [&](Index first, Index columns, const double* f) {
    problem_.loss->linearise(q, columns, f, probabilities_.data() + first * q);
  });
}

void ShallowLoss::hessian_product(const double* v, double* out) {
  const Index q = layout_.outputs();
  if (factor_) {
    gram_product(v, out);
    const double curvature = 2.0 * problem_.scale(problem_.train.total);
    for (std::size_t e = 0; e < slice_.size(); ++e) out[e] *= curvature;
    return;
  }
  const auto multiply = [&](Index first, Index columns, double* f) {
    problem_.loss->multiply_curvature(q, columns, probabilities_.data() + first * q, f,
                                      problem_.train.weights_from(first));
  };
  sum_over_outputs(v, problem_.train, multiply, out);
}

void ShallowLoss::gram_product(const double* v, double* out) {
  const Index q = layout_.outputs();
  if (factor_) {
    factor_->r.multiply(q, v, slice_.data());
    factor_->r.multiply_transpose(q, slice_.data(), out);
    return;
  }
  const auto weigh = [&](Index first, Index columns, double* f) {
    const double* weights = problem_.train.weights_from(first);
    for (Index i = 0; i < columns && weights != nullptr; ++i)
      for (Index c = 0; c < q; ++c) f[i * q + c] *= weights[i];
  };
  sum_over_outputs(v, problem_.train, weigh, out);
  const double scale = problem_.scale(problem_.train.total);
  for (std::size_t e = 0; e < slice_.size(); ++e) out[e] /= scale;
}

}  // namespace objective
}  // namespace poise
