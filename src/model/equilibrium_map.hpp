#pragma once

#include "poise/base/process_grid.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// A deep equilibrium model z* = h(z*; x, θ), written as short functions on a block of p states. A block is
/// m_f x p, column-major, one column a sample, m_f the rows of this rank's feature block. Everything else
/// (SNES residual and Jacobian I − ∂h/∂z, its transpose for the adjoint, the spectral operators) is composed
/// from these functions. All methods are Collective on grid.feature() unless they say otherwise; in and out
/// blocks never overlap.
class EquilibriumMap {
 public:
  virtual ~EquilibriumMap() = default;
  EquilibriumMap() = default;
  EquilibriumMap(const EquilibriumMap&) = delete;
  EquilibriumMap& operator=(const EquilibriumMap&) = delete;

  /// m_f, rows of a block on this rank.
  [[nodiscard]] virtual Index local_states() const = 0;
  /// Whether h is affine in z: one Newton step is then exact.
  [[nodiscard]] virtual bool linear() const = 0;

  /// Collective on the world. Takes θ (ParameterLayout) for all following calls.
  virtual void set_parameters(Vec theta) = 0;

  /// h(Z) with the injection φ(X) (m_f x p).
  virtual void apply(Index p, const double* z, const double* injection, double* h) const = 0;
  /// ∂h/∂z · V at Z.
  virtual void jacobian(Index p, const double* z, const double* v, double* out) const = 0;
  /// (∂h/∂z)ᵀ · V at Z.
  virtual void jacobian_transpose(Index p, const double* z, const double* v, double* out) const = 0;

  /// Forgets the gradient gathered so far.
  virtual void clear_gradient() = 0;
  /// Adds Σ_i (∂h/∂θ)ᵀλ_i of a block of p samples (theory.md 3.2).
  virtual void add_gradient(Index p, const double* z, const double* lambda) = 0;
  /// Collective on the world. Sums what all ranks gathered into the columns of A of the gradient Vec.
  virtual void write_gradient(Vec gradient) = 0;

  /// Columns multiplied by the weights or their transpose so far.
  [[nodiscard]] virtual Index columns_multiplied() const = 0;
};

}  // namespace poise
