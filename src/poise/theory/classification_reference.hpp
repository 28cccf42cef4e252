#pragma once

#include <vector>

#include "poise/theory/convex_optimum.hpp"

namespace poise {

/// Distances of weights W from a known optimum W* of a classification loss, without cancellation: as the
/// excess comes from W − W* and not from a difference of losses, an audit stays meaningful far below machine
/// precision times L (as THEORY.md 5.2 has it for the squared loss). With p* the probabilities at W*, M the
/// multiplier of the box (0 without one) and d_i = (W − W*)φ_i:
///   L₀(W) − L* = <M, W − W*> + s Σ_i ω_i [log Σ_c p*_ic e^{d_ic} − p*_iᵀ d_i], two terms >= 0;
///   ∇L₀(W) = M + s Σ_i ω_i (p_i − p*_i) φ_iᵀ.
/// That W* is not the exact optimum leaves an uncertainty, which is stated. Where the optimum is not attained
/// (separable data) L* = 0, so L₀ itself is the excess.
class ClassificationReference {
 public:
  struct Distance {
    double excess = 0.0;      ///< L₀(W) − L*, never negative for W in the box
    double grad_norm2 = 0.0;  ///< ‖∇L₀(W)‖_F²
    double uncertainty = 0.0;  ///< the excess may be off by this: ‖∇L₀(W*) − M‖ ‖W − W*‖, and rounding
    double loss = 0.0;  ///< L* + excess
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

}  // namespace poise
