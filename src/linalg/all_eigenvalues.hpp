#pragma once

#include <complex>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"

namespace poise {

/// Collective. Every eigenvalue of a square matrix, descending modulus, by LAPACK on rank 0, which holds a
/// copy of the matrix and does about 10 m³ flops. The same numbers on every rank. Throws failure if LAPACK
/// fails.
[[nodiscard]] std::vector<std::complex<double>> all_eigenvalues(const RowBlockMatrix& matrix);

}  // namespace poise
