#pragma once

#include <mpi.h>

#include "poise/io/run_file.hpp"

namespace poise {

/// Collective. What every result file says of the program, the libraries and the machine that made it, and
/// when: version, git, petsc, slepc, hdf5, mpi, ranks, host, started.
[[nodiscard]] RunFile::Named provenance(MPI_Comm comm);

}  // namespace poise
