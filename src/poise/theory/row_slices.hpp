#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"

namespace poise {

/// Collective. The offsets of the row slices of all ranks: P + 1 numbers from 0 to m.
[[nodiscard]] std::vector<Index> row_slices(const RowBlockMatrix& matrix);

/// Collective. Sums `values` over the ranks of `comm`, in place.
void sum_over_ranks(MPI_Comm comm, std::vector<double>& values);

}  // namespace poise
