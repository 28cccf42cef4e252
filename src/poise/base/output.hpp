#pragma once

#include <mpi.h>

#include <string>

namespace poise {
inline namespace base {

/// Not collective. Prints "poise: warning: " and the message on stderr. For messages that only one rank has.
void warn(const std::string& message);

/// Not collective. Like `warn`, but only rank 0 of `comm` prints. For messages that every rank has.
void warn(MPI_Comm comm, const std::string& message);

/// Not collective; call on all ranks of `comm`. Solvers on this communicator, or on a later duplicate of it,
/// then print nothing: other ranks do the same computation at the same time and print it.
void silence(MPI_Comm comm);

/// Not collective. Whether `silence` was called for `comm` or for the communicator that it duplicates.
[[nodiscard]] bool is_silent(MPI_Comm comm);

}  // namespace base
}  // namespace poise
