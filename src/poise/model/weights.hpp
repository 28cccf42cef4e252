#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/certificate.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {

/// The recurrent weights W(θ) of a pointwise model and the transposed derivative of that function. Its
/// parameters are the first blocks of the layout, each m x m.
class Weights {
 public:
  virtual ~Weights() = default;
  Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  /// Collective on the world. This rank's slice of W, slice rows x m, row-major, into `slice`.
  virtual void evaluate(Vec theta, double* slice) = 0;
  /// Collective on the world, after `evaluate`. From K = ∂L/∂W (slice rows x m, row-major; overwritten) to
  /// the gradient with respect to the parameters: into their columns of `gradient`, this rank's rows of
  /// layout.row_length().
  virtual void pullback(double* k, double* gradient) = 0;
  /// Not collective. Forgets what earlier calls left for later ones: see Objective::forget.
  virtual void forget() {}
  /// Collective on the world, after `evaluate`.
  [[nodiscard]] virtual Certificate certificate() = 0;
};

/// THEORY.md 2.2: W = γ σ(A), certificate γ in the 1-norm (7.5); W = γ A / max(1, ‖A‖₂), certificate γ in
/// the 2-norm; W = γ A, certificate γ‖A‖₂, which need not be below 1. THEORY.md 2.3: W = (1−μ)I − PᵀP + Q −
/// Qᵀ, unique equilibrium for every P, Q.
enum class WeightKind { softmax, spectral, free, monotone };

[[nodiscard]] WeightKind parse_weights(const std::string& name);
[[nodiscard]] std::string to_string(WeightKind kind);
/// The parameter blocks of a kind: A, or P and Q, with the scale that entries start at: 1 for softmax;
/// 1/(2√m) for spectral and free; 1/(2√m) each for monotone.
[[nodiscard]] std::vector<ParameterBlock> weight_blocks(WeightKind kind, Index m);
/// Collective on the world. `layout` must outlive the result and begin with weight_blocks(kind, m). `gamma`:
/// contraction factor γ in (0, 1], or for monotone the margin μ in (0, 1], else throws bad_input. Spectral
/// norms (evaluate of spectral, certificate of free weights) are SLEPc's, options prefix `svd_`; they throw
/// failure if the solver does not converge. Monotone weights keep an m x m workspace on every rank of
/// several.
[[nodiscard]] std::unique_ptr<Weights> make_weights(WeightKind kind, const ParameterLayout& layout,
                                                    double gamma);

}  // namespace poise
