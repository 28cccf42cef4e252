#pragma once

#include <mpi.h>

#include "poise/io/run_file.hpp"

namespace poise {

/// Collective. What every result file says of the program, the libraries and the machine that made it, and
/// when: version, git, petsc, slepc, hdf5, mpi, ranks, host, started.
[[nodiscard]] RunFile::Named provenance(MPI_Comm comm);

/// Collective. What an entry of /attempts says of a start before it has done anything: what `provenance`
/// says, the nodes and processors of all ranks, compiler and BLAS, who called what from where, PETSc's
/// options, and the ids that SLURM gave, if any. The result is rank 0's.
[[nodiscard]] RunFile::Named describe_attempt(MPI_Comm comm);

/// Not collective. One "-name value" a line: the options of `now` that `before` has not got so; all of them
/// where `before` is empty. A line "# -name" says that an option is no longer set.
[[nodiscard]] std::string changed_options(const RunFile::Config& before, const RunFile::Config& now);

}  // namespace poise
