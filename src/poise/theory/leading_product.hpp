#pragma once

#include <cstdint>
#include <vector>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/dynamics_matrix.hpp"

namespace poise {

/// Finds, from nothing, a vector near the top of D⁻¹ that is the product of one state vector p and one output
/// vector c. D⁻¹ = (U ⊗ I) diag_k(M_k⁻¹) (Uᵀ ⊗ I) with all M_k near I at the start of a training: its top is
/// a cluster of q eigenvalues with a common p, and p itself sits at the edge of a dense spectrum. A Krylov
/// method on all mq numbers finds p slowly and starts on c only when it is done. Here p comes from the m x m
/// matrix U diag_k(cᵀM_k⁻¹c) Uᵀ, whose products cost a q-th, and c then from a q x q matrix
/// (`DynamicsMatrix::best_product`). Options prefix `spec_state_` (EPS).
class LeadingProduct {
 public:
  /// Collective. `dynamics` must outlive this object. `tolerance`: default of -spec_state_eps_tol.
  LeadingProduct(const DynamicsMatrix& dynamics, std::uint64_t seed, double tolerance);
  LeadingProduct(const LeadingProduct&) = delete;
  LeadingProduct& operator=(const LeadingProduct&) = delete;

  /// Collective. out: m_r x q, unit norm. Not converging is no error: a worse start only costs products
  /// later.
  void find(double* out);
  /// Products with U and with Uᵀ of one column, in pairs, of the last `find`.
  [[nodiscard]] Index products() const { return products_; }

 private:
  void set_random_start();
  /// p = top eigenvector of U diag(weights_) Uᵀ, from the p before.
  void update_state();

  const DynamicsMatrix& dynamics_;
  std::uint64_t seed_;
  Index products_ = 0;
  std::vector<double> weights_, block_;
  ShellOperator inverse_;
  EpsHandle eps_;
  VecHandle state_;
};

}  // namespace poise
