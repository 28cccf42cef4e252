#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// Collective. Makes the directory runs/NAME-DATE-TIME for what starts now, and returns its path: of several
/// that start within a second, the later ones get -2, -3, … at the end. The clock is rank 0's (UTC). Throws
/// failure, the same on every rank, if it cannot be made.
[[nodiscard]] std::string make_dated_directory(MPI_Comm comm, const std::string& name);

}  // namespace poise
