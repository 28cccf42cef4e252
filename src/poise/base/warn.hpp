#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// Not collective. "poise: warning: " and the message on stderr, for what is said on one rank alone.
void warn(const std::string& message);

/// Not collective. The same by rank 0 of `comm`, for what every rank of it knows.
void warn(MPI_Comm comm, const std::string& message);

}  // namespace poise
