#include "poise/objective/collapsed_model.hpp"

#include <petsc/private/petscimpl.h>  // PetscObjectStateGet

#include "poise/base/log_event.hpp"
#include "poise/linalg/row_products.hpp"
#include "poise/model/softmax.hpp"

namespace poise {

CollapsedModel::CollapsedModel(const ParameterLayout& layout, double gamma, double rtol)
    : layout_(layout), gamma_(gamma), softmax_(layout.grid().world(), layout.slice_offsets()) {
  const Index rows = layout.slice().size();
  const Index q = layout.outputs();
  b_.resize(static_cast<std::size_t>(rows * q));
  w_.resize(b_.size());
  gradient_b_.resize(b_.size());
  scaled_w_.resize(b_.size());
  sums_.resize(static_cast<std::size_t>(layout.width()));
  products_.resize(static_cast<std::size_t>(layout.width() * q));
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
  PetscObjectId id = 0;
  PetscObjectState state = 0;
  check(PetscObjectGetId(reinterpret_cast<PetscObject>(theta), &id));
  check(PetscObjectStateGet(reinterpret_cast<PetscObject>(theta), &state));
  if (id == theta_id_ && state == theta_state_) return forward_;
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
  theta_state_ = -1;  // a failed solve must not leave a W that looks current
  forward_ = solve_transpose(b_.data(), w_.data());
  theta_id_ = id;
  theta_state_ = state;
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

// ∂L/∂A = S ∘ (K − 1·colsum(S∘K)) with K_ij = γ Σ_c W_ci (∂L/∂B)_cj of rank q, which is never stored: the
// sums are γ Σ_c (∂L/∂B)_cj (SᵀWᵀ)_jc, and S is read once more for the entries.
void CollapsedModel::write_gradient_a(double* out) {
  const Index rows = layout_.slice().size();
  const Index m = layout_.width();
  const Index q = layout_.outputs();
  for (std::size_t i = 0; i < scaled_w_.size(); ++i) scaled_w_[i] = gamma_ * w_[i];
  multiply_rows_transpose(rows, m, q, softmax_.rows(), m, scaled_w_.data(), rows, false, products_.data(), m);
  const double* all = softmax_.gather(q, gradient_b_.data());
  const auto& offsets = layout_.slice_offsets();
  std::fill(sums_.begin(), sums_.end(), 0.0);
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r)
    for (Index c = 0; c < q; ++c)
      for (Index j = offsets[r]; j < offsets[r + 1]; ++j)
        sums_[j] +=
            products_[c * m + j] * all[offsets[r] * q + c * (offsets[r + 1] - offsets[r]) + j - offsets[r]];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums_.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM,
                          layout_.grid().world()));
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

}  // namespace poise
