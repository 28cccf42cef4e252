#pragma once

#include <span>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {
inline namespace linalg {

/// ‖M‖₂ of a square matrix in row blocks, with its singular vectors: ‖M‖₂ = uᵀMv, and the gradient of the
/// norm is uvᵀ if the largest singular value is simple. Computed by SLEPc's Krylov-Schur method on MᵀM, which
/// loses no digits for the largest singular value; options prefix `svd_` (EPS). The bidiagonalisations of
/// SLEPc's SVD are not used: on matrices of low rank they break down, and have returned numbers that are not
/// singular values. The residual relative to ‖M‖₂² is 1e-12 by default, because a gradient through the norm
/// inherits the error of u and v, which is the residual divided by the relative gap to the next singular
/// value.
class SpectralNorm {
 public:
  /// Collective on the communicator of `matrix`, which must be square and outlive this object.
  explicit SpectralNorm(const RowBlockMatrix& matrix);
  SpectralNorm(const SpectralNorm&) = delete;  // SLEPc holds pointers to this object
  SpectralNorm& operator=(const SpectralNorm&) = delete;

  /// Collective. ‖M‖₂ of the present entries of the matrix. The solver starts from the singular vector of the
  /// last call; the first call starts from random numbers that do not depend on the ranks. Throws failure if
  /// the matrix holds a NaN or an Inf, or if the solver does not converge.
  double compute();
  /// Not collective. The next `compute` starts like the first one.
  void forget();
  /// This rank's rows of the left and the right singular vector of the last `compute`; 0 if M = 0.
  [[nodiscard]] const std::vector<double>& left() const { return left_; }
  [[nodiscard]] const std::vector<double>& right() const { return right_; }

 private:
  void apply_square(const double* x, double* y);
  [[nodiscard]] double norm_of(std::span<const double> local) const;
  [[nodiscard]] double frobenius_norm() const;
  void set_start();
  double solve();

  const RowBlockMatrix& matrix_;
  double frobenius_ = 0.0;
  ShellOperator square_;
  EpsHandle eps_;
  VecHandle vector_;
  std::vector<double> left_, right_, image_;
};

}  // namespace linalg
}  // namespace poise
