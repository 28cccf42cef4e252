#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace linalg {

/// Many small symmetric positive definite matrices M_k of the same size q, one per row k of a block, and
/// their Cholesky factors. Entry (a, b), b <= a, of all matrices is contiguous in k, so that every loop here
/// runs over k and vectorises; one LAPACK call per matrix would mostly be call overhead for the usual q = 1
/// ... 100. Blocks are count x q, column-major; row k is a vector of length q for M_k. Not collective.
class CholeskyBatch {
 public:
  CholeskyBatch(Index count, Index size);

  [[nodiscard]] Index count() const { return count_; }
  [[nodiscard]] Index pairs() const { return size_ * (size_ + 1) / 2; }
  /// Entry (a, b), b <= a, of all matrices; after `factor`, of their lower factors.
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

/// Not collective. The second moments of the rows w_i (rows x size, column-major) about the centres b_k, with
/// the weights s_ik²: Σ_i s_ik² (w_i − b_k)(w_i − b_k)ᵀ for `count` columns k. `s`: s_ik is s[i s_stride +
/// k]. `centres`: b_k has the entries centres[a centre_stride + k]. `moments`: pairs x count, row-major, the
/// pairs in the order of CholeskyBatch.
void weighted_moments(Index rows, Index size, Index count, const double* w, const double* s, Index s_stride,
                      const double* centres, Index centre_stride, double* moments);

}  // namespace linalg
}  // namespace poise
