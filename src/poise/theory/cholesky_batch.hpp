#pragma once

#include <cstddef>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Many small symmetric positive definite matrices M_k of one size q, one a row k of a block, and their
/// Cholesky factors. Entry (a, b), b <= a, of all matrices is contiguous in k, so every loop here runs over
/// k: for the q = 1 ... 100 of interest this vectorises where one LAPACK call a matrix would mostly be call
/// overhead. Blocks are count x q, column-major; row k is a vector of length q for M_k. Not collective.
class CholeskyBatch {
 public:
  CholeskyBatch(Index count, Index size);

  [[nodiscard]] Index count() const { return count_; }
  [[nodiscard]] Index pairs() const { return size_ * (size_ + 1) / 2; }
  /// Entry (a, b), b <= a, of all matrices; after `factor` that of the lower factors.
  [[nodiscard]] double* entry(Index a, Index b) { return entry(a * (a + 1) / 2 + b); }
  [[nodiscard]] const double* entry(Index a, Index b) const {
    return entries_.data() + (a * (a + 1) / 2 + b) * count_;
  }
  [[nodiscard]] double* entry(Index pair) { return entries_.data() + pair * count_; }

  /// Replaces every M_k by its lower factor. Returns the first k whose matrix is not positive definite (or
  /// holds a NaN), or -1.
  [[nodiscard]] Index factor();
  /// Row k of x becomes M_k⁻¹ times it; needs `factor`.
  void solve(double* x) const;
  /// Row k of x becomes M_k times it; needs `factor`.
  void multiply(double* x) const;
  /// Row k of x becomes L_k times it, M_k = L_k L_kᵀ; needs `factor`.
  void multiply_factor(double* x) const;
  /// Row k of x becomes L_kᵀ times it; needs `factor`.
  void multiply_factor_transpose(double* x) const;

 private:
  Index count_;
  Index size_;
  std::vector<double> entries_;
};

}  // namespace poise
