#pragma once

#include <cstddef>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/cholesky_batch.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {
inline namespace theory {

/// The matrix D of THEORY.md 4, d vec(W)/dt = -D vec(∇L₀(W)), of the softmax-linear model: mq x mq, symmetric
/// positive definite, never formed. Vectors V (q x m) are kept transposed as m_r x q column-major blocks over
/// the row slices of S = σ(A), as W is. Holds the Cholesky factor of M_k = I + γ² W J_k² Wᵀ for every column
/// k of this rank: m_r q (q + 1) / 2 numbers per rank.
class DynamicsMatrix {
 public:
  /// `softmax` holds S; it must outlive this object and may change, followed by `update`. Throws bad_input
  /// unless 0 <= gamma < 1 and outputs >= 1. `round_columns`: columns per rank that `update` reduces at a
  /// time; the default 0 chooses as many as fit a buffer of 32 MB.
  DynamicsMatrix(const RowBlockMatrix& softmax, double gamma, Index outputs, Index round_columns = 0);

  /// Collective. Call after S or W changed; `w` is the m_r x q block of Wᵀ and is not kept. Throws failure if
  /// some M_k is not positive definite, which happens if S or W hold NaN, Inf or numbers that overflow.
  void update(const double* w);

  /// Collective. out = D⁻¹ v, exactly (THEORY.md 4.3): two products with S, no solve, no allocation after the
  /// first call. v and out may be the same array.
  void apply_inverse(const double* v, double* out) const;

  /// Collective. out = D v (THEORY.md 4.2), where `solve` solves U x = rhs and `solve_transpose` solves Uᵀ x
  /// = rhs for m_r x q blocks; they determine the accuracy. v and out may be the same array.
  void apply(const double* v, double* out, const LinearMap& solve, const LinearMap& solve_transpose) const;

  /// Collective. D = FᵀF with F = diag_k(L_kᵀ) U⁻¹ on transposed blocks, M_k = L_k L_kᵀ: out = F v and out =
  /// Fᵀ v. A symmetric H then has the same nonzero eigenvalues in HD and in the symmetric F H Fᵀ. v and out
  /// may be the same array; `solve` and `solve_transpose` as for `apply`.
  void apply_factor(const double* v, double* out, const LinearMap& solve) const;
  void apply_factor_transpose(const double* v, double* out, const LinearMap& solve_transpose) const;

  /// Collective. A vector out = p cᵀ (unit norm, m_r x q) near the top eigenvector of D⁻¹: p is the dominant
  /// state vector of `x`, and c is the output vector with the largest Rayleigh quotient for this p. D⁻¹ is
  /// near UUᵀ ⊗ I_q, so that its q largest eigenvalues form a cluster. Their eigenvectors have almost the
  /// same p and differ in c, which no Krylov method resolves if the eigenvalues are 1e-7 apart. Costs one
  /// product with one column of S.
  void best_product(const double* x, double* out) const;

  /// Not collective. d_k = cᵀM_k⁻¹c for every column k of this rank; if `c` is null, the mean over the
  /// outputs, tr(M_k⁻¹)/q.
  void state_weights(const double* c, double* d) const;

  /// Collective. out = U diag(d) Uᵀ v for one state vector (m_r numbers). With v = p and d from
  /// `state_weights(c)`, <p cᵀ, D⁻¹ p cᵀ> is pᵀ out.
  void apply_state_inverse(const double* d, const double* v, double* out) const;

  /// Not collective. Multiplies row k of the block x by M_k, or by M_k⁻¹, for every column k of this rank.
  /// For q = 1 the M_k are the diagonal entries of S_t in THEORY.md 6.
  void multiply_outputs(double* x) const { factors_.multiply(x); }
  void solve_outputs(double* x) const { factors_.solve(x); }

  /// Lower bound of λ_min(D): 1 / (m (1 + γ)²), THEORY.md 4.4.
  [[nodiscard]] double lambda_floor() const;

  [[nodiscard]] MPI_Comm comm() const { return softmax_.comm(); }
  [[nodiscard]] Index width() const { return softmax_.width(); }
  [[nodiscard]] Index outputs() const { return outputs_; }
  [[nodiscard]] Index row_begin() const { return softmax_.row_begin(); }
  [[nodiscard]] Index local_rows() const { return softmax_.local_rows(); }
  /// Entries of a block on this rank, m_r q.
  [[nodiscard]] Index local_size() const { return local_rows() * outputs_; }

 private:
  void form_moments(const double* w);
  void form_moments(const double* w, const double* centres, Index first, Index step);

  /// Top eigenvector of the sum over ranks of a q x q matrix.
  [[nodiscard]] std::vector<double> top_eigenvector(std::vector<double> matrix) const;

  const RowBlockMatrix& softmax_;
  double gamma_;
  Index outputs_;
  std::vector<Index> offsets_;  // row slices of all ranks
  CholeskyBatch factors_;
  Index round_columns_;
  std::vector<int> counts_;
  std::vector<double> partial_sums_;
  std::vector<double> reduced_;
  mutable std::vector<double> work_;
  mutable std::vector<double> product_;
};

}  // namespace theory
}  // namespace poise
