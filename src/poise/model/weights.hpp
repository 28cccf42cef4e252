#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {
inline namespace model {

/// The recurrent weights W(θ) of a pointwise model, and the transposed derivative of this function of θ.
/// Their parameters are the first blocks of the layout, each m x m.
class Weights {
 public:
  virtual ~Weights() = default;
  Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;

  /// Collective on the world. Writes this rank's slice of W, slice rows x m, row-major, into `slice`.
  virtual void evaluate(Vec theta, double* slice) = 0;
  /// Collective on the world, after `evaluate`. Computes the gradient with respect to the parameters from K =
  /// ∂L/∂W (slice rows x m, row-major; overwritten), and writes it into their columns of `gradient`, this
  /// rank's rows of layout.row_length() numbers.
  virtual void pullback(double* k, double* gradient) = 0;
  /// Not collective. Forgets everything that earlier calls have left behind: see Objective::forget.
  virtual void forget() {}
  /// Collective on the world, after `evaluate`.
  [[nodiscard]] virtual Certificate certificate() = 0;
};

/// softmax, THEORY.md 2.2: W = γ σ(A), certificate γ in the 1-norm (7.5). spectral, 2.2: W = γ A / max(1,
/// ‖A‖₂), certificate γ in the 2-norm. free, 2.2: W = γ A, certificate γ‖A‖₂, which may be 1 or more.
/// monotone, 2.3: W = (1−μ)I − PᵀP + Q − Qᵀ, with a unique equilibrium for every P and Q.
enum class WeightKind { softmax, spectral, free, monotone };

[[nodiscard]] WeightKind parse_weights(const std::string& name);
[[nodiscard]] std::string to_string(WeightKind kind);
/// The parameter blocks of a kind: A, or P and Q for monotone, with the scale that their entries start at: 1
/// for softmax, else 1/(2√m).
[[nodiscard]] std::vector<ParameterBlock> weight_blocks(WeightKind kind, Index m);
/// Collective on the world. `layout` must outlive the result and begin with weight_blocks(kind, m). `gamma`:
/// the contraction factor γ in (0, 1], or for monotone the margin μ in (0, 1]; any other value throws
/// bad_input. Spectral norms (`evaluate` of spectral weights, `certificate` of free weights) are computed by
/// SLEPc, options prefix `svd_`, and throw failure if the solver does not converge. On several ranks,
/// monotone weights keep an m x m workspace per rank.
[[nodiscard]] std::unique_ptr<Weights> make_weights(WeightKind kind, const ParameterLayout& layout,
                                                    double gamma);

}  // namespace model
}  // namespace poise
