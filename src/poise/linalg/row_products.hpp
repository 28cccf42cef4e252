#pragma once

#include "poise/base/process_grid.hpp"

namespace poise {

// Products of a row-major matrix M with a block of columns. dgemm copies M into its own format for every
// call, which few columns (the q outputs) never pay back: those take kernels that read M once, where it lies,
// and are fastest if its rows start at multiples of 64 bytes. Wide blocks go to dgemm. M: rows x cols, entry
// (i, j) at m[i * stride + j]. X and Y: column-major with strides ldx and ldy. Empty products are allowed;
// arrays must not overlap. Not collective.

/// Y (rows x p) = M X, or Y += M X if `add`.
void multiply_rows(Index rows, Index cols, Index p, const double* m, Index stride, const double* x, Index ldx,
                   bool add, double* y, Index ldy);

/// Y (cols x p) = Mᵀ X, or Y += Mᵀ X if `add`.
void multiply_rows_transpose(Index rows, Index cols, Index p, const double* m, Index stride, const double* x,
                             Index ldx, bool add, double* y, Index ldy);

/// out_ij = s_ij (Σ_c x_ic y_jc − shift_j), where s and out are rows x cols, row-major, X is rows x p and Y
/// is cols x p: a product of small rank that is used entry by entry and never stored.
void weighted_outer_product(Index rows, Index cols, Index p, const double* x, Index ldx, const double* y,
                            Index ldy, const double* shift, const double* s, Index stride_s, double* out,
                            Index stride_out);

}  // namespace poise
