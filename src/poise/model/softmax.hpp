#pragma once

#include <mpi.h>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Collective on `comm`. S = σ(A), the column-wise softmax of THEORY.md 1, for an m-column matrix whose rows
/// are distributed over `comm`. `a`: local rows, row-major with stride `stride_a`; `s`: row-major with stride
/// m. Stable for every finite A (columns are shifted by their maximum). A NaN in a column of A gives NaN in
/// that column of S.
void column_softmax(MPI_Comm comm, Index rows, Index m, const double* a, Index stride_a, double* s);

/// Collective on `comm`. The transposed derivative of the softmax, THEORY.md 3: out = S ∘ (K −
/// 1·colsum(S∘K)), where K is the gradient with respect to S. Row-major; `out` may be `k` when the strides
/// agree.
void column_softmax_pullback(MPI_Comm comm, Index rows, Index m, const double* s, const double* k,
                             Index stride_k, double* out, Index stride_out);

}  // namespace poise
