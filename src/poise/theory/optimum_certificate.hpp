#pragma once

#include <limits>
#include <vector>

#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/feature_matrix.hpp"

namespace poise {
inline namespace theory {

/// What an OptimumCertifier has proved about a W. All blocks are slice rows x q.
struct OptimumCertificate {
  /// L₀(W) − inf L₀ is at most this, and the infimum is attained; infinite if that is not proved.
  double error_bound = std::numeric_limits<double>::infinity();
  double free_norm = 0.0;          ///< ‖∇L₀(W) − multiplier‖_F
  double rounding = 0.0;           ///< largest rounding error of ∇L₀(W), in the Frobenius norm
  double loss_rounding = 0.0;      ///< largest rounding error of L₀(W)
  std::vector<double> multiplier;  ///< multiplier of the box, see OptimumCertifier; zero without a box
  [[nodiscard]] bool proved() const { return error_bound < std::numeric_limits<double>::infinity(); }
};

/// Proves how far L₀(W) = s Σ ω_i ℓ(Wφ_i, y_i) is from its infimum, for the logistic loss and cross-entropy,
/// by Fenchel's inequality. With p_i the probabilities at W and any π_i of the simplex,
///   L₀(W) − L₀(W') <= s Σ ω_i KL(π_i ‖ p_i) + <W − W', s Σ ω_i (π_i − y_i)φ_iᵀ>   for every W'.
/// Choose π_i = p_i − ρ_i G C_ρ⁺φ_i/s, G = ∇L₀(W), ρ_i = min_c p_ic (logistic: p(1 − p)), C_ρ = Σ ω_i ρ_i
/// φ_iφ_iᵀ. Then the second term is 0, as G = s Σ ω_i (p_i − y_i)φ_iᵀ, Σ_c π_ic = 1, as 1ᵀG = 0, and π_i > 0
/// if ‖G C_ρ⁺φ_i‖ < s. With KL(p + δ ‖ p) <= Σ δ_c²/p_c:
///   **L₀(W) − inf L₀ <= tr(G C_ρ⁺ Gᵀ)/s, if ‖G C_ρ⁺‖ max_i ‖φ_i‖ < s.**
/// This also proves that the infimum is attained. If there were a direction V along which no sample's loss
/// grows and one sample's loss falls, 0 = <V, Σ ω_i (π_i − y_i)φ_iᵀ> = Σ_ic ω_i π_ic ((Vφ_i)_c −
/// (Vφ_i)_{y_i}) < 0. So partly separable data can never be certified by mistake. Φ may have any rank; the
/// ranks of C_ρ and Φ must be equal.
///
/// Box |W_ij| <= r: if W_ij = ±r and -G_ij points outwards, the box may balance G_ij. Then G_ij becomes an
/// entry of the `multiplier` M, <W − W', M> <= 0, and G − M replaces G. Rows of M sum to zero over the
/// classes, as rows of G do.
class OptimumCertifier {
 public:
  /// Collective on the world. `loss` must outlive it. Throws bad_input for the squared loss and for features
  /// that are all zero.
  explicit OptimumCertifier(ShallowLoss& loss, double box = std::numeric_limits<double>::infinity());

  /// Collective on the world. `gradient` is ∇L₀(W). The bound includes the rounding of the gradient and of
  /// C_ρ.
  [[nodiscard]] OptimumCertificate certify(const double* w, const double* gradient);
  /// Collective on the world. The same without the error bound, which is cheap.
  [[nodiscard]] OptimumCertificate free_gradient(const double* w, const double* gradient);
  /// If the free gradient of a W is longer than this, its error bound is above `error`: tr(G C_ρ⁺ Gᵀ) >=
  /// ‖G‖²/λ_max(C_ρ).
  [[nodiscard]] double longest_gradient(double error) const;
  /// The decomposition of Φ diag(√ω).
  [[nodiscard]] const FeatureSvd& svd() const { return svd_; }
  [[nodiscard]] const FeatureNorms& norms() const { return norms_; }

 private:
  [[nodiscard]] double scale() const;

  ShallowLoss& loss_;
  double box_;
  FeatureSvd svd_;
  FeatureNorms norms_;
  double norm_sum_ = 0.0, norm2_sum_ = 0.0;  // Σ ω_i ‖φ_i‖, Σ ω_i ‖φ_i‖² over all samples
  double weight_sum_ = 0.0, largest_weight_ = 1.0;  // Σ ω_i, max ω_i
  std::vector<double> weights_;
};

/// Collective on the world. Smallest margin of a W over the training samples: the score of the true class
/// minus the largest score of a different class (logistic: f or −f). A margin that is positive beyond
/// rounding proves that the data are separable: the loss goes to 0 along multiples of W.
[[nodiscard]] double smallest_margin(ShallowLoss& loss, const double* w);

}  // namespace theory
}  // namespace poise
