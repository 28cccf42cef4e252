#pragma once

#include <mpi.h>

namespace poise {

/// Not collective; the same on all ranks of `comm`. What solvers on this communicator, or on a duplicate that
/// is made of it later, would print is left out: other ranks do the same at the same time, and print it.
void silence(MPI_Comm comm);

/// Not collective.
[[nodiscard]] bool is_silent(MPI_Comm comm);

}  // namespace poise
