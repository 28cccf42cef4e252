#pragma once

#include <complex>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"

namespace poise {

/// Collective. Every eigenvalue of a square matrix, descending modulus, by LAPACK on rank 0, which holds a
/// copy of the matrix and does about 10 m³ flops. The same numbers on every rank. Throws failure if LAPACK
/// fails.
[[nodiscard]] std::vector<std::complex<double>> all_eigenvalues(const RowBlockMatrix& matrix);

/// An eigenvalue λ with its condition 1/|yᴴx|, x and y its unit right and left eigenvectors: an error E of
/// the matrix moves λ by at most about ‖E‖₂ times it. 1 for a normal matrix, infinite where λ is defective,
/// which rounding makes about 1/√ε.
struct ConditionedEigenvalue {
  std::complex<double> value;
  double condition = 1.0;
};
/// The same with conditions: about 25 m³ flops.
[[nodiscard]] std::vector<ConditionedEigenvalue> conditioned_eigenvalues(const RowBlockMatrix& matrix);

}  // namespace poise
