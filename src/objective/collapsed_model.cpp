#include "poise/objective/collapsed_model.hpp"

#include <petsc/private/petscimpl.h>  // PetscObjectStateGet

#include "poise/base/log_event.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/model/softmax.hpp"

namespace poise {
namespace {

/// Far below the equilibria's tolerance: with q right-hand sides the last digits cost two or three cheap
/// products.
constexpr double default_rtol = 1e-13;

}  // namespace

CollapsedModel::CollapsedModel(const ParameterLayout& layout, double gamma)
    : layout_(layout), gamma_(gamma), softmax_(layout.grid().world(), layout.slice_offsets()) {
  const Index rows = layout.slice().size();
  const Index q = layout.outputs();
  b_.resize(static_cast<std::size_t>(rows * q));
  w_.resize(b_.size());
  gradient_b_.resize(b_.size());
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
                                           "collapsed", default_rtol);
  transposed_solver_ = std::make_unique<ColumnSolver>(layout.grid().world(), rows, q, u_transposed, u,
                                                      "collapsed_", "transposed collapsed", default_rtol);
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
  const Outcome outcome = solve(g, gradient_b_.data());  // (∂L/∂B)ᵀ = U⁻¹Gᵀ

  WriteArray values(gradient);
  // K = γ Wᵀ ∂L/∂B, own rows, written where ∂L/∂A goes: K_ij = γ Σ_c W_ci (∂L/∂B)_cj
  const double* all = softmax_.gather(q, gradient_b_.data());
  const auto& offsets = layout_.slice_offsets();
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const Index rows_r = offsets[r + 1] - offsets[r];
    gemm('N', 'T', rows_r, rows, q, gamma_, all + offsets[r] * q, rows_r, w_.data(), rows, 0.0,
         values.data() + offsets[r], stride);
  }
  column_softmax_pullback(layout_.grid().world(), rows, m, softmax_.rows(), values.data(), stride,
                          values.data(), stride);
  for (Index i = 0; i < rows; ++i)
    for (Index c = 0; c < q; ++c) values[i * stride + m + c] = gradient_b_[c * rows + i];
  return outcome;
}

Outcome CollapsedModel::solve(const double* rhs, double* x) {
  return require(solver_->solve(rhs, x), true);
}

Outcome CollapsedModel::solve_transpose(const double* rhs, double* x) {
  return require(transposed_solver_->solve(rhs, x), true);
}

}  // namespace poise
