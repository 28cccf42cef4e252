#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "poise/theory/audit.hpp"

namespace poise {
inline namespace theory {

/// The spectrum of the Gram matrix K of the tangents at one θ.
struct TangentSpectrum {
  std::vector<double> eigenvalues;  ///< of K, all nq, ascending, as computed: a zero may be rounded below 0
  double lambda_min = 0.0;          ///< the smallest eigenvalue, at least 0
  double lambda_max = 0.0;
  /// Largest error of λ_min, to first order: the rounding of K (nq ε λ_max), and the errors of the rows of J
  /// due to the residuals of their solves.
  double error = 0.0;
  double states_lambda_min = 0.0;  ///< λ_min(ZᵀZ) = σ_min(Z)², Z the last states (m x n); at most λ_min(K)
  Index rank = 0;                  ///< eigenvalues above the rounding of K
};

/// The neural tangent matrix of any network: f_i = f(x_i; θ) in R^q, J = ∂(f_1, …, f_n)/∂θ (nq x P), K = J Jᵀ
/// (nq x nq, positive semidefinite). Row i q + a belongs to output a of sample i. Readouts are linear, f = B
/// z, so that K is at least ZᵀZ ⊗ I_q, the contribution of B; for softmax-linear models K = (Φᵀ ⊗ I) D (Φ ⊗
/// I) with the D of THEORY.md 4.1.
///
/// A row of J is the gradient of the objective of one sample with ℓ = f_a (linear_loss), so that any model
/// will do. Every output starts with a pass over all samples in panels. Warm starts (EquilibriumSettings)
/// take the equilibria and the adjoints of the rows from this pass, so that a row costs only a few passes
/// over the weights. Each rank holds the columns of J of its parameters, nq times its share of θ, and all of
/// K.
class TangentGram {
 public:
  /// Makes the objective of the network on the given problem, which outlives the objective. For equilibria:
  /// exact gradients, no penalty, `samples` = 1 (so that no solver prepares for many samples at every row),
  /// and `warm_start`. A collapsed objective takes no single samples: make an EquilibriumObjective of its map
  /// instead. Everything that the objective refers to must outlive the TangentGram, or be owned by the
  /// pointer. Do not share a map with a run that goes on: it would change the starts of the run's solves.
  using Factory = std::function<std::shared_ptr<Objective>(const Problem&)>;

  /// Collective on the world. `layout` must outlive it; the training samples of `problem` are copied. Throws
  /// bad_input if a rank would need more than `max_bytes`, or if there are no samples.
  TangentGram(const ParameterLayout& layout, const Problem& problem, const Factory& make,
              double max_bytes = default_max_bytes);
  TangentGram(const TangentGram&) = delete;  // the objective points at its problem
  TangentGram& operator=(const TangentGram&) = delete;

  /// Collective on the world. K at θ and its eigenvalues (LAPACK, on rank 0). Depends on θ alone, not on
  /// earlier calls. Throws failure if a solve fails, bad_input if the objective's gradient is inexact or has
  /// a penalty.
  [[nodiscard]] TangentSpectrum measure(Vec theta);

  /// K of the last `measure`, on every rank: nq x nq, column-major.
  [[nodiscard]] const std::vector<double>& matrix() const { return k_; }
  /// The outputs of all samples in the last `measure`: q x n, column-major, on every rank.
  [[nodiscard]] const std::vector<double>& outputs() const { return f_; }
  /// Largest relative residual of the solves of the last `measure`.
  [[nodiscard]] double solve_residual() const { return solve_residual_; }

  [[nodiscard]] Index samples() const { return problem_.train.total; }
  [[nodiscard]] Index output_count() const { return problem_.outputs; }
  /// nq
  [[nodiscard]] Index size() const { return samples() * output_count(); }
  /// Largest number of bytes per rank for n samples with q outputs.
  [[nodiscard]] static double bytes(const ParameterLayout& layout, Index samples);

  static constexpr double default_max_bytes = 4.0 * 1024.0 * 1024.0 * 1024.0;

 private:
  void find_rows(Index output, Vec theta);
  Evaluation gradient_of(Vec theta, const Batch& batch);
  void form_matrix();
  [[nodiscard]] double smallest_of_states() const;

  const ParameterLayout& layout_;
  Problem problem_;
  std::shared_ptr<Objective> objective_;
  VecHandle gradient_;
  Index parameters_;              // parameters of this rank
  std::vector<double> tangents_;  // Jᵀ: parameters_ x nq
  std::vector<double> k_, f_;
  double solve_residual_ = 0.0;
};

/// The measurements of a GramAudit at one point of a run.
struct GramPoint {
  AuditPoint audit;
  TangentSpectrum spectrum;
  /// ‖∇L(θ)‖₂ computed from K, √(gᵀK g). If the gradient norm of the run differs by more than the tolerances
  /// of its solves, the run does not follow the gradient of L (it has a penalty, inexact gradients or
  /// minibatches), and nothing is proven for it.
  double gradient_norm = 0.0;
};

/// Live audit of the linear rate that follows from a nonsingular Gram matrix K of the tangents, for any
/// network, linear or not. Let L = s Σ ω_i ℓ(f_i, y_i) with ℓ >= 0 and g = ∂L/∂(f_1, …, f_n). Under gradient
/// flow
///   dL/dt = −‖∇L‖² = −gᵀK g <= −λ_min(K) ‖g‖² = −κ_t λ_min(K) L,   κ_t = ‖g‖²/L,
/// so L(T) <= L(0) exp(−∫ κ_t λ_min(K_t) dt). This is Theorem 1 (THEORY.md 5, 5.1) with outputs instead of W,
/// K instead of D and 0 instead of L*. Squared loss: κ_t >= 4 s min ω, a constant, so that only a singular K
/// can keep the flow from a global minimum with loss 0. Other losses: κ_t is measured; it falls with L, so
/// that the rate is not linear. Piecewise linear activations: the flow meets kinks, where dL/dt jumps.
///
/// Ling, Xie, Wang, Zhang & Lin (arXiv 2205.13814, squared loss, relu) bound λ_min(K) from below by
/// λ_min(ZᵀZ), the contribution of the readout, and prove that λ_min(ZᵀZ) stays above half its first value in
/// a wide enough network. Neither is assumed here: both eigenvalues are measured along the flow, and λ_min(K)
/// is tested against the floor λ_min(ZᵀZ). K is measured only at audited times; RateAudit says what follows
/// from that.
class GramAudit {
 public:
  /// Collective on the world. `layout` and `problem` must outlive it; `problem` is the problem of the run.
  /// `make`, `max_bytes`: as for TangentGram, also in what it throws. Throws bad_input for a linear loss.
  GramAudit(const ParameterLayout& layout, const Problem& problem, const TangentGram::Factory& make,
            double max_bytes = TangentGram::default_max_bytes);

  /// Collective on the world. The same as LiveAudit::observe.
  GramPoint observe(Index step, double t, Vec theta, double gradient_norm, double local_error_sum);

  [[nodiscard]] const RateAudit& rates() const { return rates_; }
  [[nodiscard]] const AuditConstants& constants() const { return constants_; }
  [[nodiscard]] const TangentGram& gram() const { return gram_; }
  /// Restores what rates().save() returned; a checkpoint needs nothing else.
  void restore(const std::vector<double>& numbers) { rates_.restore(numbers); }

 private:
  const Problem& problem_;
  TangentGram gram_;
  std::vector<double> targets_, weights_;  // of all samples, on every rank: q x n, and ω (if empty, all 1)
  AuditConstants constants_;
  RateAudit rates_;
  std::vector<double> g_;  // q x n
};

}  // namespace theory
}  // namespace poise
