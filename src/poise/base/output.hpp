#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// Not collective. "poise: warning: " and the message on stderr, for what is said on one rank alone.
void warn(const std::string& message);

/// Not collective. The same by rank 0 of `comm`, for what every rank of it knows.
void warn(MPI_Comm comm, const std::string& message);

/// Not collective; the same on all ranks of `comm`. What solvers on this communicator, or on a duplicate that
/// is made of it later, would print is left out: other ranks do the same at the same time, and print it.
void silence(MPI_Comm comm);

/// Not collective.
[[nodiscard]] bool is_silent(MPI_Comm comm);

}  // namespace poise
