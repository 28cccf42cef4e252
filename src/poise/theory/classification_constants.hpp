#pragma once

#include <vector>

#include "poise/objective/feature_norms.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/feature_svd.hpp"

namespace poise {

/// Constants κ of THEORY.md 5.3 with ‖∇L₀(W)‖² >= κ (L₀(W) − L*) for W and the comparator W* in a convex set.
///
/// On such a set L₀(W*) >= L₀(W) + <G, W* − W> + ½ s Σ ω_i ρ_i ‖P(W* − W)φ_i‖², P = 1 for logistic and the
/// projection onto the complement of 1 for cross-entropy. Adding a row to all rows of W changes nothing: G =
/// PG, so W* − W may be replaced by P(W* − W) everywhere. With μ = s λ_min(Σ ω_i ρ_i φ_iφ_iᵀ) the right side
/// is at least L₀(W) − ‖G‖²/(2μ): κ = 2μ.
class ClassificationConstants {
 public:
  /// Collective on the world. `loss` must outlive it. Throws bad_input for the squared loss, cross_entropy
  /// with one output, and features that are all zero.
  explicit ClassificationConstants(ShallowLoss& loss);

  /// Rank of Φ. All κ need it to be m and else throw bad_input that names it.
  [[nodiscard]] Index rank() const { return svd_.rank(); }
  [[nodiscard]] bool full_rank() const { return rank() == loss_.layout().width(); }
  [[nodiscard]] double smallest() const { return svd_.smallest(); }  ///< σ_r(Φ)
  /// κ_R = 2 s ρ(R max ‖φ_i‖₁) σ_min(Φ diag(√ω))², on ‖W‖₁ <= R: Σ_c |f_c(x_i)| <= R ‖φ_i‖₁, so the spread is
  /// no more.
  [[nodiscard]] double kappa_ball(double radius) const;
  /// The same on |W_ij| <= r: the spread is at most min(2, q) r ‖φ_i‖₁.
  [[nodiscard]] double kappa_box(double r) const;
  /// Collective on the world. The sharper constant of the outputs themselves, on the set where sample i has
  /// at most the spread `spreads[i]` (convex, as a spread is convex in W): 2 s λ_min(Σ ω_i ρ_i φ_iφ_iᵀ).
  [[nodiscard]] double kappa_outputs(const std::vector<double>& spreads) const;

 private:
  [[nodiscard]] double smallest_curvature(double spread) const;
  void require_full_rank() const;
  [[nodiscard]] double scale() const;

  ShallowLoss& loss_;
  FeatureSvd svd_;
  double largest_norm1_;
};

/// Collective on the world. Raises `spreads` (one for each training sample of this rank) to those of W where
/// they are larger.
void raise_output_spreads(ShallowLoss& loss, const double* w, std::vector<double>& spreads);
/// Collective on the world. ‖W‖₁, the largest column sum of |W|, from the block of Wᵀ.
[[nodiscard]] double induced_one_norm(const ParameterLayout& layout, const double* w);
/// Collective on the world. max |W_ij|: the smallest box that holds W.
[[nodiscard]] double largest_entry(const ParameterLayout& layout, const double* w);

}  // namespace poise
