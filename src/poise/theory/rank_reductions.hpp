#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {
inline namespace theory {

/// Collective. The offsets of the row slices of all ranks: P + 1 numbers from 0 to m.
[[nodiscard]] std::vector<Index> row_slices(const RowBlockMatrix& matrix);

/// Collective. Sums `values` over the ranks of `comm`, in place.
void sum_over_ranks(MPI_Comm comm, std::vector<double>& values);
/// Collective. The largest `value` of any rank of `comm`.
[[nodiscard]] double largest_over_ranks(MPI_Comm comm, double value);
/// Collective. The largest entry of the `values` of all ranks of `comm`, and at least 0.
[[nodiscard]] double largest_over_ranks(MPI_Comm comm, const std::vector<double>& values);

/// Collective on the world. ‖W‖₁, the largest column sum of |W|, from the block of Wᵀ.
[[nodiscard]] double induced_one_norm(const ParameterLayout& layout, const double* w);
/// Collective on the world. max |W_ij|: the smallest box that holds W.
[[nodiscard]] double largest_entry(const ParameterLayout& layout, const double* w);

}  // namespace theory
}  // namespace poise
