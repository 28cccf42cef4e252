#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/audit.hpp"
#include "poise/theory/convex_optimum.hpp"
#include "poise/theory/feature_matrix.hpp"

namespace poise {
inline namespace theory {

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

  /// Rank of Φ. All κ need rank m; with a smaller rank they throw bad_input that names the rank.
  [[nodiscard]] Index rank() const { return svd_.rank(); }
  [[nodiscard]] bool full_rank() const { return rank() == loss_.layout().width(); }
  [[nodiscard]] double smallest() const { return svd_.smallest(); }  ///< σ_r(Φ)
  /// κ_R = 2 s ρ(R max ‖φ_i‖₁) σ_min(Φ diag(√ω))², on ‖W‖₁ <= R: Σ_c |f_c(x_i)| <= R ‖φ_i‖₁ bounds the
  /// spread.
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

/// Collective on the world. Raises each of `spreads` (one per training sample of this rank) to the spread of
/// the sample's output at W, if that is larger.
void raise_output_spreads(ShallowLoss& loss, const double* w, std::vector<double>& spreads);

/// Distances of weights W from a known optimum W* of a classification loss, without cancellation: the excess
/// is computed from W − W* and not as a difference of losses, so that an audit stays meaningful far below
/// machine precision times L (as THEORY.md 5.2 does for the squared loss). With p* the probabilities at W*, M
/// the multiplier of the box (0 without one) and d_i = (W − W*)φ_i:
///   L₀(W) − L* = <M, W − W*> + s Σ_i ω_i [log Σ_c p*_ic e^{d_ic} − p*_iᵀ d_i], two terms >= 0;
///   ∇L₀(W) = M + s Σ_i ω_i (p_i − p*_i) φ_iᵀ.
/// W* is not the exact optimum; the resulting uncertainty of the excess is stated. If the optimum is not
/// attained (separable data), L* = 0 and L₀ itself is the excess.
class ClassificationReference {
 public:
  struct Distance {
    double excess = 0.0;       ///< L₀(W) − L*, never negative for W in the box
    double grad_norm2 = 0.0;   ///< ‖∇L₀(W)‖_F²
    double uncertainty = 0.0;  ///< of the excess: ‖∇L₀(W*) − M‖ ‖W − W*‖, and rounding
    double loss = 0.0;         ///< L* + excess
  };

  /// Collective on the world. `loss` and `optimum` must outlive it.
  ClassificationReference(ShallowLoss& loss, const ConvexOptimum& optimum);
  /// Collective on the world. `w`: the block of Wᵀ.
  [[nodiscard]] Distance distance(const double* w);
  [[nodiscard]] const ConvexOptimum& optimum() const { return optimum_; }

 private:
  [[nodiscard]] Distance distance_from_zero(const double* w);

  ShallowLoss& loss_;
  const ConvexOptimum& optimum_;
  std::vector<double> probabilities_;  // p*, outputs x samples of this rank
  std::vector<double> difference_, gradient_;
};

/// Excess and constants of THEORY.md 5.3 for a run of a classification loss; `measure` gets the points of the
/// run one by one. The constants belong to sets that contain W* and every measured W: they are a priori in
/// form (no κ_t enters) and valid for the whole run.
///
/// Without an attained optimum (separable data) L* = 0 has no comparator, and there is no a-priori constant:
/// the run is then audited with κ_t alone. With an optimum in a box, there are constants only if every
/// measured W is in the box.
class ClassificationRates {
 public:
  /// Collective on the world. `loss` must outlive it.
  ClassificationRates(ShallowLoss& loss, ConvexOptimum optimum);
  ClassificationRates(const ClassificationRates&) = delete;  // reference_ refers to optimum_
  ClassificationRates& operator=(const ClassificationRates&) = delete;

  /// Collective on the world. Replaces loss, excess and gradient of `sample` by their values relative to L*
  /// at W (the block of Wᵀ), and extends the sets of the constants to W. Returns the uncertainty of the
  /// excess, which is also added to the integration error of the sample.
  double measure(const double* w, AuditSample& sample);

  /// Collective on the world. κ for the outputs of W* and every measured W; NaN if there is an obstacle.
  [[nodiscard]] double kappa_outputs() const;
  /// The same for the ball ‖W‖₁ <= radius(), which contains W* and every measured W. Not collective.
  [[nodiscard]] double kappa_ball() const;
  /// Why there are no a-priori constants; empty if there are. Not collective.
  [[nodiscard]] std::string obstacle() const;

  [[nodiscard]] const ConvexOptimum& optimum() const { return optimum_; }
  [[nodiscard]] double radius() const { return radius_; }
  /// The largest measured |W_ij|: the smallest box that contains every measured W.
  [[nodiscard]] double largest_entry() const { return largest_entry_; }

 private:
  void widen(const double* w);

  ShallowLoss& loss_;
  ConvexOptimum optimum_;
  ClassificationReference reference_;
  std::unique_ptr<ClassificationConstants> constants_;  // if the optimum is attained
  std::vector<double> spreads_;  // spreads of the outputs of this rank's training samples
  double radius_ = 0.0, largest_entry_ = 0.0;
};

}  // namespace theory
}  // namespace poise
