#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/activation.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace model {

/// The parts of a map of the form h(z) = a(W z + u), where a acts entry by entry and u is the injection.
/// Solvers of such a map work with y = W z and share one factorisation of the mean linearisation between all
/// samples.
struct PointwiseForm {
  const RowBlockMatrix& weights;  ///< W over grid.feature
  Activation activation;
  double margin = 0.0;      ///< μ of the strong monotonicity of I − W; 0 if it is not known
  double column_sum = 0.0;  ///< γ if W is nonnegative and every column sums to γ; else 0
};

/// What is known of the equilibrium equation z = h(z) at the parameters at hand.
struct Certificate {
  std::string norm;          ///< "1", "2", "monotone"; empty if nothing is known: then each solve is checked
  double contraction = 0.0;  ///< bound of ‖∂h/∂z‖ in that norm; monotone: 1 minus the margin of monotonicity
  /// Whether a unique equilibrium is proven.
  [[nodiscard]] bool well_posed() const { return !norm.empty() && contraction < 1.0; }
};

/// A deep equilibrium model z* = h(z*; x, θ), written as short functions on a block of p states. A block is
/// m_f x p, column-major, one column a sample, m_f the rows of this rank's feature block. Everything else
/// (SNES residual and Jacobian I − ∂h/∂z, its transpose for the adjoint, the unrolled network, the spectral
/// operators) is composed from these functions. All methods are collective on grid.feature() unless they say
/// otherwise. Input and output blocks never overlap.
class EquilibriumMap {
 public:
  virtual ~EquilibriumMap() = default;
  EquilibriumMap() = default;
  EquilibriumMap(const EquilibriumMap&) = delete;
  EquilibriumMap& operator=(const EquilibriumMap&) = delete;

  /// m_f, rows of a block of states on this rank.
  [[nodiscard]] virtual Index local_states() const = 0;
  /// d_f, rows of a block of features on this rank.
  [[nodiscard]] virtual Index local_features() const { return local_states(); }
  /// Whether h is affine in z: one Newton step is then exact.
  [[nodiscard]] virtual bool linear() const = 0;
  /// The form h(z) = a(W z + u); empty if the map does not have it.
  [[nodiscard]] virtual std::optional<PointwiseForm> pointwise_form() const { return {}; }

  /// Collective on the world. Sets θ (see ParameterLayout) for all following calls.
  virtual void set_parameters(Vec theta) = 0;

  /// Not collective. Forgets everything that earlier parameters have left behind: see Objective::forget.
  virtual void forget() {}

  /// Computes from the features φ(x) (d_f x p) the part of the equation that does not depend on z: the
  /// injection u (m_f x p). Called once per sample. Default: u is the features.
  virtual void inject(Index p, const double* features, double* injection) const {
    std::copy_n(features, local_states() * p, injection);
  }
  /// h(Z) with the injection u.
  virtual void apply(Index p, const double* z, const double* injection, double* h) const = 0;

  /// Rows of a block of slopes: how many numbers of each sample the derivatives need. 0 for a linear map.
  [[nodiscard]] virtual Index slope_rows() const { return linear() ? 0 : local_states(); }
  /// The slopes at Z, where h = h(Z): slope_rows() x p. A pointwise map stores a'.
  virtual void linearise(Index /*p*/, const double* /*z*/, const double* /*h*/, double* /*slopes*/) const {}
  /// ∂h/∂z · V at the states where `slopes` were computed.
  virtual void jacobian(Index p, const double* slopes, const double* v, double* out) const = 0;
  /// (∂h/∂z)ᵀ · V at the states where `slopes` were computed.
  virtual void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const = 0;

  /// Sets the gradient that is summed up to zero.
  virtual void clear_gradient() = 0;
  /// Adds Σ_i (∂h/∂θ)ᵀλ_i of a block of p samples at Z (THEORY.md 3.2), with respect to all parameters but
  /// the readout.
  virtual void add_gradient(Index p, const double* slopes, const double* z, const double* features,
                            const double* lambda) = 0;
  /// Collective on the world. Sums the gradients of all ranks into the columns of the model's blocks in the
  /// gradient Vec.
  virtual void write_gradient(Vec gradient) = 0;

  /// Collective on the world, after set_parameters. Default: nothing is known.
  [[nodiscard]] virtual Certificate certificate() { return {}; }

  /// How many columns the weights or their transpose have multiplied so far.
  [[nodiscard]] virtual Index columns_multiplied() const = 0;
};

}  // namespace model
}  // namespace poise
