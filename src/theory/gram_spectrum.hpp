#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"

namespace poise {

/// The eigen-decomposition of a Gram matrix C = Φ diag(ω) Φᵀ, ω >= 0, and its pseudo-inverse. Holds the m_r x
/// m eigenvectors.
class GramSpectrum {
 public:
  /// Collective. Decomposes C (ScaLAPACK, m³ work). Eigenvalues up to `relative_cut` times the largest count
  /// as 0; the default 0 means 16 m ε, what rounding leaves of a zero. Throws bad_input if C is zero, failure
  /// if it holds NaN or Inf or the eigensolver fails.
  explicit GramSpectrum(const RowBlockMatrix& gram, double relative_cut = 0.0);

  /// How many eigenvalues count: the rank of Φ.
  [[nodiscard]] Index rank() const { return rank_; }
  [[nodiscard]] double largest() const { return values_.front(); }
  /// The smallest eigenvalue that counts.
  [[nodiscard]] double smallest() const { return values_[static_cast<std::size_t>(rank_ - 1)]; }
  /// What rounding can have done to an eigenvalue: 8 m ε times the largest.
  [[nodiscard]] double rounding() const;
  /// All m, descending, on every rank.
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  /// Column r is the vector of eigenvalue r.
  [[nodiscard]] const RowBlockMatrix& vectors() const { return vectors_; }
  /// Collective. x = C⁺ x; m_r x `columns`.
  void apply_pseudo_inverse(Index columns, double* x) const;

 private:
  void decompose(const RowBlockMatrix& gram);

  RowBlockMatrix vectors_;
  std::vector<double> values_;
  Index rank_ = 0;
  mutable std::vector<double> coordinates_;
};

}  // namespace poise
