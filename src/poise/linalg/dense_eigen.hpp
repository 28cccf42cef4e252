#pragma once

#include <mpi.h>

#include <complex>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/row_block_matrix.hpp"

namespace poise {
inline namespace linalg {

/// Eigenvalues (descending) and orthonormal eigenvectors (columns, each with its largest entry positive).
struct SymmetricEigen {
  std::vector<double> values;
  std::vector<double> vectors;  ///< n x n, column-major
};

/// Dense eigendecomposition of a small symmetric n x n matrix by LAPACK on this rank alone; only the lower
/// triangle is read. Throws failure if LAPACK fails.
[[nodiscard]] SymmetricEigen symmetric_eigen(Index n, std::vector<double> matrix);

/// Collective on `comm`. The same decomposition of a matrix that every rank holds, computed on rank 0 and
/// broadcast, so that all ranks use the same numbers. Throws failure on all ranks.
[[nodiscard]] SymmetricEigen symmetric_eigen(MPI_Comm comm, Index n, std::vector<double> matrix);

/// Collective on `comm`. Only the eigenvalues, ascending, of a matrix that rank 0 holds: a sixth of the work.
/// Throws failure on all ranks.
[[nodiscard]] std::vector<double> symmetric_eigenvalues(MPI_Comm comm, Index n, std::vector<double> matrix);

/// Collective. All eigenvalues of a square matrix, by descending modulus, computed by LAPACK on rank 0, which
/// holds a copy of the matrix and does about 10 m³ flops. Every rank gets the same numbers. Throws failure if
/// LAPACK fails.
[[nodiscard]] std::vector<std::complex<double>> all_eigenvalues(const RowBlockMatrix& matrix);

/// An eigenvalue λ with its condition number 1/|yᴴx|, where x and y are its unit right and left eigenvectors:
/// an error E of the matrix moves λ by at most about ‖E‖₂ times this number. It is 1 for a normal matrix and
/// infinite if λ is defective; with rounding, about 1/√ε.
struct ConditionedEigenvalue {
  std::complex<double> value;
  double condition = 1.0;
};
/// Collective. As all_eigenvalues, with condition numbers: about 25 m³ flops.
[[nodiscard]] std::vector<ConditionedEigenvalue> conditioned_eigenvalues(const RowBlockMatrix& matrix);

}  // namespace linalg
}  // namespace poise
