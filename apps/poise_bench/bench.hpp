#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::bench {

/// Collective. Measures what the options ask for; rank 0 prints a table and one line of JSON a case.
ExitCode run_bench(Options& options, MPI_Comm comm);

}  // namespace poise::bench
