#pragma once

#include <mpi.h>

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Eigenvalues (descending) and orthonormal eigenvectors (columns, each with its largest entry positive).
struct SymmetricEigen {
  std::vector<double> values;
  std::vector<double> vectors;  ///< n x n, column-major
};

/// Dense eigendecomposition of a small symmetric n x n matrix by LAPACK on this rank alone; only the lower
/// triangle is read. Throws failure if LAPACK fails.
[[nodiscard]] SymmetricEigen symmetric_eigen(Index n, std::vector<double> matrix);

/// Collective on `comm`: the same of a matrix that every rank holds, computed on rank 0 and broadcast, so
/// that all ranks use the same numbers. Throws failure on all of them.
[[nodiscard]] SymmetricEigen symmetric_eigen(MPI_Comm comm, Index n, std::vector<double> matrix);

/// Collective on `comm`: the eigenvalues alone, ascending, of a matrix that rank 0 holds (a sixth of the
/// work). Throws failure on all ranks.
[[nodiscard]] std::vector<double> symmetric_eigenvalues(MPI_Comm comm, Index n, std::vector<double> matrix);

}  // namespace poise
