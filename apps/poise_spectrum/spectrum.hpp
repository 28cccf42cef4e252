#pragma once

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::spectrum {

/// Collective. Opens the checkpoint that the options name, computes its spectral quantities and prints them;
/// -json FILE writes them, too. Throws bad_input for a run or options that do not fit, failure where a solver
/// did not converge: what was found before is then on the terminal, and no file is written.
ExitCode spectrum(Options& options, MPI_Comm comm);

}  // namespace poise::spectrum
