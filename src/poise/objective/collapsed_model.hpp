#pragma once

#include <memory>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/petsc/vec_state.hpp"
#include "poise/solve/column_solver.hpp"

namespace poise {
inline namespace objective {

/// The softmax-linear model collapsed to its equivalent shallow layer, W = B U⁻¹ with U = I − γσ(A)
/// (THEORY.md 2.1, 3.1): q solves instead of one solve per sample. All rows are split over the whole world,
/// so that θ is used without communication and every rank works on every solve. Blocks that are q x m in the
/// theory are held transposed: slice rows x q. Solver prefix `collapsed_` (KSP); the largest of the q
/// residuals decides convergence.
class CollapsedModel {
 public:
  /// `layout` must outlive the model. `rtol` is the default of -collapsed_ksp_rtol: far below the default of
  /// the equilibria, because for q right-hand sides the last digits cost only two or three cheap products.
  CollapsedModel(const ParameterLayout& layout, double gamma, double rtol = 1e-13);

  /// Collective on the world. Computes S = σ(A) and Wᵀ from UᵀWᵀ = Bᵀ; does nothing if θ has not changed
  /// since. Throws failure if the solve failed.
  const Outcome& set_parameters(Vec theta);
  /// Wᵀ: slice rows x q, column-major.
  [[nodiscard]] const double* w() const { return w_.data(); }
  /// S over the world.
  [[nodiscard]] const RowBlockMatrix& softmax() const { return softmax_; }
  [[nodiscard]] double gamma() const { return gamma_; }
  /// Bound of the relative error of W due to the solves: the residual times the condition number (1+γ)/(1−γ)
  /// of U.
  [[nodiscard]] double weight_error() const {
    return 2.0 * (solver_->rtol() + attainable_residual) * (1.0 + gamma_) / (1.0 - gamma_);
  }

  /// Collective on the world. (∂L/∂A, ∂L/∂B) from Gᵀ = ∇L₀(W)ᵀ (THEORY.md 3). Throws failure if the solve
  /// failed.
  Outcome write_gradient(const double* g, Vec gradient);

  /// Collective on the world. x = U⁻¹ rhs or U⁻ᵀ rhs for slice rows x q blocks; throws failure if the solve
  /// failed.
  Outcome solve(const double* rhs, double* x);
  Outcome solve_transpose(const double* rhs, double* x);

 private:
  /// Writes the columns of the gradient that belong to A, in rows of length m + q, from W and ∂L/∂B.
  void write_gradient_a(double* out);

  const ParameterLayout& layout_;
  double gamma_;
  RowBlockMatrix softmax_;
  std::vector<double> b_, w_, gradient_b_;
  std::vector<double> image_w_;          // γSᵀWᵀ, shape of w_
  std::vector<double> scaled_w_, sums_;  // work arrays of write_gradient_a
  std::unique_ptr<ColumnSolver> solver_, transposed_solver_;
  Outcome forward_;
  VecState solved_for_;
};

/// Loss and gradient of the softmax-linear model through its shallow equivalent (THEORY.md 3.1): 2q solves of
/// size m and one pass over the features, or no pass for the squared loss. `-objective collapsed`.
class CollapsedObjective final : public Objective {
 public:
  /// `model` and `loss` are shared with the audit, which needs W and G at the same θ; both must outlive this
  /// object.
  CollapsedObjective(CollapsedModel& model, ShallowLoss& loss);
  Evaluation value_and_gradient(Vec theta, Vec gradient) override;
  Score score(Vec theta, const SampleSet& samples) override;

 private:
  CollapsedModel& model_;
  ShallowLoss& loss_;
  std::vector<double> g_;
};

}  // namespace objective
}  // namespace poise
