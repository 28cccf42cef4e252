#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace run {

/// Collective. One training: reads the options database, trains, audits, writes the run directory. Returns
/// the exit code: done, not_verified (the audit could not confirm the theorem) or requeue (a signal or the
/// deadline asked to stop; the run has a checkpoint). Throws Error, also if a bound was violated. `own_log`:
/// what the training prints is also appended to log.txt of the run directory.
ExitCode train(Options& options, MPI_Comm comm, bool own_log = true);

/// The whole program poise-train: starts MPI and PETSc, reads the command line, trains or runs an ensemble,
/// ends MPI and PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on
/// MPI_COMM_WORLD; call it once. Register your own models, losses and dynamics before the call.
int train_main(int argc, char** argv);

}  // namespace run
}  // namespace poise
