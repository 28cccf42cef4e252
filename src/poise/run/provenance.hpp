#pragma once

#include <mpi.h>

#include <string>

#include "poise/io/run_file.hpp"

namespace poise {
inline namespace run {

/// Collective. What every result file says about the program, the libraries and the machine that made it, and
/// the time: version, git, petsc, slepc, hdf5, mpi, ranks, host, started.
[[nodiscard]] RunFile::Named provenance(MPI_Comm comm);

/// Collective. The attributes that an entry of /attempts has from the beginning: those of `provenance`, the
/// nodes and processors of all ranks, compiler and BLAS, user, working directory and command line, PETSc's
/// options, and the ids of the SLURM job, if there is one. Only rank 0's result is complete.
[[nodiscard]] RunFile::Named describe_attempt(MPI_Comm comm);

/// Not collective. The command line of this program, quoted so that a shell accepts it.
[[nodiscard]] std::string command_line();

/// Not collective. The options of `now` that `before` lacks or has with a different value (all options if
/// `before` is empty), one "-name value" per line. A line "# -name" says that an option is no longer set.
[[nodiscard]] std::string changed_options(const RunFile::Config& before, const RunFile::Config& now);

}  // namespace run
}  // namespace poise
