#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {

/// Collective. All of poise-train: reads the options database, trains, audits, writes the run directory.
/// Returns the exit code: done, failed (a bound was violated) or requeue (asked to stop; a checkpoint is
/// there). Throws Error.
ExitCode train(Options& options, MPI_Comm comm);

/// All of poise-train, as its main calls it: starts MPI and PETSc, reads the command line, trains or runs an
/// ensemble, ends MPI and PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on
/// MPI_COMM_WORLD; call it once. Register dynamics of your own (dynamics_registry.hpp) and the like before.
int train_main(int argc, char** argv);

}  // namespace poise
