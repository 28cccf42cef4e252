#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// Collective. Throws bad_input, with file and line, if rank 0 cannot read the whole of a file of options, or
/// if PETSc could not take a line of it. Before PETSc reads it: it answers with fifty lines, takes a read
/// error for the end of the file, and does not come back from a file that names itself. Files of YAML are
/// only read.
void require_options_file(MPI_Comm comm, const std::string& path);

/// Collective. The same for all files that the command line and PETSC_OPTIONS name. May be called before
/// PETSc starts.
void require_options_files(MPI_Comm comm, int argc, char** argv);

}  // namespace poise
