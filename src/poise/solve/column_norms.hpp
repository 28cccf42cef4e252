#pragma once

#include <mpi.h>

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Collective on `comm`. The 2-norms of p columns whose rows are distributed over `comm` (local rows x p,
/// column-major), into norms[0..p).
void column_norms(MPI_Comm comm, Index rows, Index p, const double* x, double* norms);

}  // namespace poise
