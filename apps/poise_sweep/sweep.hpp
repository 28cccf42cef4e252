#pragma once

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::sweep {

/// Collective. The program poise-sweep: runs the members of a study on sub-communicators, writes DIR/sweep.h5
/// and DIR/options.txt, prints one table and a verdict. Returns failed if a member failed or what must hold
/// did not; throws bad_input.
ExitCode run_sweep(Options& options, MPI_Comm comm);

}  // namespace poise::sweep
