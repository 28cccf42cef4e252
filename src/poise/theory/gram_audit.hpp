#pragma once

#include <vector>

#include "poise/theory/audit.hpp"
#include "poise/theory/tangent_gram.hpp"

namespace poise {

/// What a GramAudit measured at one point of a run.
struct GramPoint {
  AuditPoint audit;
  TangentSpectrum spectrum;
  /// ‖∇L(θ)‖₂ as K gives it, √(gᵀK g). If the run's own differs by more than its solves' tolerances, it does
  /// not follow the gradient of L (a penalty, an inexact gradient, minibatches) and nothing is proven for it.
  double gradient_norm = 0.0;
};

/// Live audit of the linear rate that a nonsingular Gram matrix K of the tangents proves, for any network,
/// nonlinear ones too. Let L = s Σ ω_i ℓ(f_i, y_i) with ℓ >= 0 and g = ∂L/∂(f_1, …, f_n). Under gradient flow
///   dL/dt = −‖∇L‖² = −gᵀK g <= −λ_min(K) ‖g‖² = −κ_t λ_min(K) L,   κ_t = ‖g‖²/L,
/// so L(T) <= L(0) exp(−∫ κ_t λ_min(K_t) dt). This is Theorem 1 (THEORY.md 5, 5.1) with outputs in the place
/// of W, K in that of D and 0 in that of L*. Squared loss: κ_t >= 4 s min ω, a constant, and a singular K
/// alone stands between θ and a global minimum of loss 0. Other losses: κ_t is measured; theirs falls with L,
/// so the rate is not linear. Piecewise linear activations: the flow meets kinks, where dL/dt jumps.
///
/// Ling, Xie, Wang, Zhang & Lin (arXiv 2205.13814, squared loss, relu) bound λ_min(K) from below by that of
/// ZᵀZ, the readout's part, and prove that a wide enough network keeps it above half its first value. Neither
/// is assumed here: both eigenvalues are measured where the flow is, and λ_min(ZᵀZ) is the floor that
/// λ_min(K) is tested against. K is measured at audited times only: see RateAudit for what that means.
class GramAudit {
 public:
  /// Collective on the world. `layout` and `problem` must outlive it; `problem` is what the run minimises.
  /// `make`, `max_bytes`: see TangentGram, which throws. Throws bad_input for a linear loss.
  GramAudit(const ParameterLayout& layout, const Problem& problem, const TangentGram::Factory& make,
            double max_bytes = TangentGram::default_max_bytes);

  /// Collective on the world. As LiveAudit::observe.
  GramPoint observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum);

  [[nodiscard]] const RateAudit& rates() const { return rates_; }
  [[nodiscard]] const AuditConstants& constants() const { return constants_; }
  [[nodiscard]] const TangentGram& gram() const { return gram_; }
  /// For a checkpoint: all there is to save is rates().save().
  void restore(const std::vector<double>& numbers) { rates_.restore(numbers); }

 private:
  const Problem& problem_;
  TangentGram gram_;
  std::vector<double> targets_, weights_;  // of all samples, on every rank: q x n, and ω (empty: all 1)
  AuditConstants constants_;
  RateAudit rates_;
  std::vector<double> g_;  // q x n
};

}  // namespace poise
