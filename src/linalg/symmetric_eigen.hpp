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

/// Collective on `comm`. Dense eigendecomposition of a small symmetric n x n matrix that every rank holds:
/// LAPACK on rank 0, broadcast, so that all ranks use the same numbers. Throws failure if LAPACK does.
[[nodiscard]] SymmetricEigen symmetric_eigen(MPI_Comm comm, Index n, std::vector<double> matrix);

}  // namespace poise
