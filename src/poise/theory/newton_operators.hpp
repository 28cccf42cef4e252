#pragma once

#include <vector>

#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/dynamics_matrix.hpp"

namespace poise {

/// The matrices of THEORY.md 6 at the W of a softmax-linear model, never formed. All act on blocks of Wᵀ
/// (slice rows x q, column-major, as in DynamicsMatrix), where a product with U from the right in the theory
/// is one with Uᵀ from the left. With M = diag_k(M_k), THEORY.md 4.3 (at q = 1: S_t):
///   H = ∇²L₀(W),   F = U⁻¹ H U⁻ᵀ,   D⁻¹ = U M⁻¹ Uᵀ,   G = U (M⁻¹ − δF) Uᵀ = D⁻¹ − δH.
/// M comes from a DynamicsMatrix of its own, made of the model's γ, S and W, so that nothing here depends on
/// a D that is to be checked.
class NewtonOperators {
 public:
  /// Collective on the world. `model` and `loss` must outlive this object.
  NewtonOperators(CollapsedModel& model, ShallowLoss& loss);

  /// Collective. Takes W, S and the curvature of the loss from where the model is. Throws failure if they
  /// hold NaN or Inf.
  void update();

  /// Collective. out = H v; v and out may be the same.
  void apply_hessian(const double* v, double* out);
  /// Collective. out = F x: one solve with U, one with Uᵀ (prefix `collapsed_`); x and out may be the same.
  void apply_pulled_back(const double* x, double* out);
  /// Collective. out = D⁻¹ v without a solve.
  void apply_first_metric(const double* v, double* out) const { metric_.apply_inverse(v, out); }
  /// Collective. out = G v = D⁻¹ v − δ H v without a solve; v and out must differ.
  void apply_metric(double delta, const double* v, double* out);
  /// Not collective. x = M x and x = M⁻¹ x.
  void multiply_outputs(double* x) const { metric_.multiply_outputs(x); }
  void solve_outputs(double* x) const { metric_.solve_outputs(x); }

  [[nodiscard]] CollapsedModel& model() { return model_; }
  [[nodiscard]] ShallowLoss& loss() { return loss_; }
  [[nodiscard]] MPI_Comm comm() const { return metric_.comm(); }
  /// Entries of a block: on this rank, and on all.
  [[nodiscard]] Index local_size() const { return metric_.local_size(); }
  [[nodiscard]] Index size() const { return metric_.width() * metric_.outputs(); }

 private:
  CollapsedModel& model_;
  ShallowLoss& loss_;
  DynamicsMatrix metric_;
  std::vector<double> solved_, curved_;
};

}  // namespace poise
