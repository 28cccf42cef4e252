#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {

/// Collective. All of poise-train: reads the options database, trains, audits, writes the run directory.
/// Returns the exit code: done, failed (a bound was violated) or requeue (asked to stop; a checkpoint is
/// there). Throws Error.
ExitCode train(Options& options, MPI_Comm comm);

}  // namespace poise
