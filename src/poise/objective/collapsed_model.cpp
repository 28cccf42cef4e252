#include "poise/objective/collapsed_model.hpp"

#include <algorithm>

#include "poise/base/log_event.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/model/exponentials.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace objective {

CollapsedModel::CollapsedModel(const ParameterLayout& layout, double gamma, double rtol)
    : layout_(layout),
      gamma_(gamma),
      softmax_(layout.grid().world(), layout.slice_offsets(), layout.matrix_type()) {
  const Index rows = layout.slice().size();
  const Index q = layout.outputs();
  b_.resize(static_cast<std::size_t>(rows * q));
  w_.resize(b_.size());
  gradient_b_.resize(b_.size());
  scaled_w_.resize(b_.size());
  sums_.resize(static_cast<std::size_t>(layout.width()));
  image_w_.resize(b_.size());
  const auto minus = [rows, q, gamma](const double* x, double* y) {
    for (Index i = 0; i < rows * q; ++i) y[i] = x[i] - gamma * y[i];
  };
  const LinearMap u = [this, q, minus](const double* x, double* y) {
    softmax_.multiply(q, x, y);
    minus(x, y);
  };
  const LinearMap u_transposed = [this, q, minus](const double* x, double* y) {
    softmax_.multiply_transpose(q, x, y);
    minus(x, y);
  };
  solver_ = std::make_unique<ColumnSolver>(layout.grid().world(), rows, q, u, u_transposed, "collapsed_",
                                           "collapsed", rtol);
  transposed_solver_ = std::make_unique<ColumnSolver>(layout.grid().world(), rows, q, u_transposed, u,
                                                      "collapsed_", "transposed collapsed", rtol);
}

const Outcome& CollapsedModel::set_parameters(Vec theta) {
  static const LogEvent event("CollapsedSolve");
  if (solved_for_.matches(theta)) return forward_;
  const auto scope = event.begin();

  const Index rows = layout_.slice().size();
  const Index m = layout_.width();
  const Index q = layout_.outputs();
  {
    const ReadArray values(theta);
    column_softmax(layout_.grid().world(), rows, m, values.data(), layout_.row_length(), softmax_.rows());
    for (Index i = 0; i < rows; ++i)
      for (Index c = 0; c < q; ++c) b_[c * rows + i] = values[i * layout_.row_length() + m + c];
  }
  solved_for_.forget();  // a failed solve must not leave a W that looks current
  forward_ = solve_transpose(b_.data(), w_.data());
  for (std::size_t i = 0; i < w_.size(); ++i) image_w_[i] = w_[i] - transposed_solver_->image()[i];
  solved_for_.remember(theta);
  return forward_;
}

Outcome CollapsedModel::write_gradient(const double* g, Vec gradient) {
  static const LogEvent event("CollapsedGradient");
  const auto scope = event.begin();
  const Index rows = layout_.slice().size();
  const Index m = layout_.width();
  const Index q = layout_.outputs();
  const Index stride = layout_.row_length();
  Outcome outcome = solve(g, gradient_b_.data());  // (∂L/∂B)ᵀ = U⁻¹Gᵀ

  WriteArray values(gradient);
  write_gradient_a(values.data());
  for (Index i = 0; i < rows; ++i)
    for (Index c = 0; c < q; ++c) values[i * stride + m + c] = gradient_b_[c * rows + i];
  return outcome;
}

// ∂L/∂A = S ∘ (K − 1·colsum(S∘K)) with K_ij = γ Σ_c W_ci (∂L/∂B)_cj of rank q, which is never stored. Its
// sums Σ_c (∂L/∂B)_cj (γSᵀWᵀ)_jc need the last product of the solve for W, so that S is read only once, for
// the entries.
void CollapsedModel::write_gradient_a(double* out) {
  const Index rows = layout_.slice().size();
  const Index m = layout_.width();
  const Index q = layout_.outputs();
  std::vector<double> own_sums(static_cast<std::size_t>(rows), 0.0);
  for (Index c = 0; c < q; ++c)
    for (Index j = 0; j < rows; ++j) own_sums[j] += gradient_b_[c * rows + j] * image_w_[c * rows + j];
  const double* all_sums = softmax_.gather(1, own_sums.data());
  std::copy_n(all_sums, m, sums_.begin());  // the next gather overwrites it
  const double* all = softmax_.gather(q, gradient_b_.data());
  for (std::size_t i = 0; i < scaled_w_.size(); ++i) scaled_w_[i] = gamma_ * w_[i];
  const auto& offsets = layout_.slice_offsets();
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r)
    weighted_outer_product(rows, offsets[r + 1] - offsets[r], q, scaled_w_.data(), rows, all + offsets[r] * q,
                           offsets[r + 1] - offsets[r], sums_.data() + offsets[r],
                           softmax_.rows() + offsets[r], m, out + offsets[r], layout_.row_length());
}

Outcome CollapsedModel::solve(const double* rhs, double* x) {
  return require(solver_->solve(rhs, x), true);
}

Outcome CollapsedModel::solve_transpose(const double* rhs, double* x) {
  return require(transposed_solver_->solve(rhs, x), true);
}

CollapsedObjective::CollapsedObjective(CollapsedModel& model, ShallowLoss& loss)
    : model_(model),
      loss_(loss),
      g_(static_cast<std::size_t>(loss.layout().slice().size() * loss.layout().outputs())) {}

Evaluation CollapsedObjective::value_and_gradient(Vec theta, Vec gradient) {
  Evaluation result;
  result.equilibrium = model_.set_parameters(theta);
  result.train = loss_.value_and_gradient(model_.w(), g_.data());
  require_finite_loss(result.train.loss);
  result.adjoint = model_.write_gradient(g_.data(), gradient);
  return result;
}

Score CollapsedObjective::score(Vec theta, const SampleSet& samples) {
  model_.set_parameters(theta);
  return loss_.score(model_.w(), samples);
}

}  // namespace objective
}  // namespace poise
