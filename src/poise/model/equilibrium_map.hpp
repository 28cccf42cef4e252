#pragma once

#include <algorithm>
#include <optional>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/activation.hpp"
#include "poise/model/certificate.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// That a map has the form h(z) = a(W z + u), a entry by entry and u the injection: solvers then work in y =
/// W z and share one factorisation of the mean linearisation between all samples.
struct PointwiseForm {
  const RowBlockMatrix& weights;  ///< W over grid.feature
  Activation activation;
  double margin = 0.0;      ///< μ of the strong monotonicity of I − W, where it is known; else 0
  double column_sum = 0.0;  ///< γ where W is nonnegative and every column sums to γ; else 0
};

/// A deep equilibrium model z* = h(z*; x, θ), written as short functions on a block of p states. A block is
/// m_f x p, column-major, one column a sample, m_f the rows of this rank's feature block. Everything else
/// (SNES residual and Jacobian I − ∂h/∂z, its transpose for the adjoint, the unrolled network, the spectral
/// operators) is composed from these functions. All methods are Collective on grid.feature() unless they say
/// otherwise; in and out blocks never overlap.
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
  /// The form h(z) = a(W z + u), where the map has it.
  [[nodiscard]] virtual std::optional<PointwiseForm> pointwise_form() const { return {}; }

  /// Collective on the world. Takes θ (ParameterLayout) for all following calls.
  virtual void set_parameters(Vec theta) = 0;

  /// Not collective. Forgets what earlier parameters left for later ones: see Objective::forget.
  virtual void forget() {}

  /// What the equation takes from the features φ(x) (d_f x p), once a sample: the injection u (m_f x p).
  /// Default: the features themselves.
  virtual void inject(Index p, const double* features, double* injection) const {
    std::copy_n(features, local_states() * p, injection);
  }
  /// h(Z) with the injection u.
  virtual void apply(Index p, const double* z, const double* injection, double* h) const = 0;

  /// Rows of a block of slopes: numbers that the derivatives need of each sample. 0 for a linear map.
  [[nodiscard]] virtual Index slope_rows() const { return linear() ? 0 : local_states(); }
  /// The slopes at Z, where h = h(Z): slope_rows() x p. A pointwise map stores a'.
  virtual void linearise(Index /*p*/, const double* /*z*/, const double* /*h*/, double* /*slopes*/) const {}
  /// ∂h/∂z · V where the map was linearised.
  virtual void jacobian(Index p, const double* slopes, const double* v, double* out) const = 0;
  /// (∂h/∂z)ᵀ · V where the map was linearised.
  virtual void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const = 0;

  /// Forgets the gradient gathered so far.
  virtual void clear_gradient() = 0;
  /// Adds Σ_i (∂h/∂θ)ᵀλ_i of a block of p samples at Z (THEORY.md 3.2), with respect to all parameters but
  /// the readout.
  virtual void add_gradient(Index p, const double* slopes, const double* z, const double* features,
                            const double* lambda) = 0;
  /// Collective on the world. Sums what all ranks gathered into the columns of the model's blocks in the
  /// gradient Vec.
  virtual void write_gradient(Vec gradient) = 0;

  /// Collective on the world, after set_parameters. Default: nothing is known.
  [[nodiscard]] virtual Certificate certificate() { return {}; }

  /// Columns multiplied by the weights or their transpose so far.
  [[nodiscard]] virtual Index columns_multiplied() const = 0;
};

}  // namespace poise
