#pragma once

#include <mpi.h>

#include "poise/base/process_grid.hpp"
#include "poise/model/activation.hpp"

namespace poise {
inline namespace model {

// Functions that need many exponentials: the softmax and the smooth activations.

/// x_i = exp(x_i) with vector instructions, to 4 units in the last place. NaN stays NaN; x must not be +Inf.
void exponentials(Index n, double* x);

/// Collective on `comm`. S = σ(A), the column-wise softmax of THEORY.md 1, for a matrix of m columns whose
/// rows are distributed over `comm`. `a`: local rows, row-major with stride `stride_a`; `s`: row-major with
/// stride m. Stable for every finite A (columns are shifted by their maximum). A NaN in a column of A gives
/// NaN in that column of S.
void column_softmax(MPI_Comm comm, Index rows, Index m, const double* a, Index stride_a, double* s);

/// Collective on `comm`. The transposed derivative of the softmax, THEORY.md 3: out = S ∘ (K −
/// 1·colsum(S∘K)), where K is the gradient with respect to S. Row-major; `out` may be `k` if the strides are
/// equal.
void column_softmax_pullback(MPI_Comm comm, Index rows, Index m, const double* s, const double* k,
                             Index stride_k, double* out, Index stride_out);

// The part of activation.hpp that needs vectorised exponentials: tanh, softplus and sigmoid. An output may be
// one of the inputs. The result of an entry does not depend on its position. Not collective.

/// y = a(x).
void smooth_values(Activation activation, Index n, const double* x, double* y);
/// y = a(x + u).
void smooth_values(Activation activation, Index n, const double* x, const double* u, double* y);
/// slope = 1 − exp(−y), the slope of softplus from its value y, without cancellation for small y.
void softplus_slope(Index n, const double* y, double* slope);
/// curvature = (1 − exp(−y)) exp(−y), the curvature of softplus from its value y.
void softplus_curvature(Index n, const double* y, double* curvature);

}  // namespace model
}  // namespace poise
