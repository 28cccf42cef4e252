#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::compare {

/// Collective. All of poise-compare: reads the options database, trains every model from every seed, writes
/// DIR/compare.h5 and DIR/options.txt, prints the tables. Returns failed if a member failed; the others are
/// written and reported all the same. Throws Error.
ExitCode compare(Options& options, MPI_Comm comm);

}  // namespace poise::compare
