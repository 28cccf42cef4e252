#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {

/// ‖M‖₂ of a square matrix in row blocks with its singular vectors, ‖M‖₂ = uᵀMv: its gradient is uvᵀ where
/// the largest singular value is simple. By SLEPc's SVD (Lanczos bidiagonalisation), options prefix `svd_`;
/// its residual, relative to the norm, is 1e-12 by default, because a gradient through the norm inherits the
/// error of u and v, which is the residual over the relative gap to the next singular value.
class SpectralNorm {
 public:
  /// Collective on the communicator of `matrix`, which must be square and outlive this object.
  explicit SpectralNorm(const RowBlockMatrix& matrix);
  SpectralNorm(const SpectralNorm&) = delete;  // SLEPc holds pointers to it
  SpectralNorm& operator=(const SpectralNorm&) = delete;

  /// Collective. ‖M‖₂ of the matrix as it is now; starts from the singular vector found before, the first
  /// time from random numbers that do not depend on the ranks. Throws failure if the matrix holds a NaN or an
  /// Inf, or if the solver does not converge.
  double compute();
  /// Not collective. The next `compute` starts as the first one does.
  void forget();
  /// Left and right singular vector of the last `compute`, this rank's rows; 0 for M = 0.
  [[nodiscard]] const std::vector<double>& left() const { return left_; }
  [[nodiscard]] const std::vector<double>& right() const { return right_; }

  [[nodiscard]] SVD svd() const { return svd_.get(); }

 private:
  [[nodiscard]] double frobenius_norm() const;
  void set_start();
  double solve();

  const RowBlockMatrix& matrix_;
  ShellOperator operator_;
  SvdHandle svd_;
  VecHandle u_, v_;
  std::vector<double> left_, right_;
};

}  // namespace poise
