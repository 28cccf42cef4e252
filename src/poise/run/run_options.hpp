#pragma once

#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"

namespace poise {
inline namespace run {

/// Declare and read the options that belong to one start of the program. A training declares them, and so
/// does code that needs their values before the other options of the training.
std::string run_option(Options& options);
bool resume_option(Options& options);
double deadline_option(Options& options);

/// Collective. With -resume: takes every option that is not set from RUN/options.txt, but for the process
/// grid, which may be another one, and returns their names. Throws bad_input if there is no such file.
std::vector<std::string> recall_options(MPI_Comm comm);

/// Not collective. Takes every option that is not set from what a run was made with (Checkpoint::config), but
/// for those of one attempt and the process grid, and returns their names. Solver options among them count as
/// used, so that a program without these solvers does not call them unknown.
/// `own`: the options of poise-train, of which those without a value are not set.
std::vector<std::string> recall_options(const std::vector<std::pair<std::string, std::string>>& config,
                                        const Options& own);

/// The text of options.txt: one "-name value" a line, or "-name" of a solver's flag.
[[nodiscard]] std::string options_text(const Options& options);

}  // namespace run
}  // namespace poise
