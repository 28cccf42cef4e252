#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise {
inline namespace run {

/// Declare and read the options that belong to one invocation of the program. A training declares them; code
/// that needs their values before the training declares its options does so, too.
std::string run_option(Options& options);
bool resume_option(Options& options);
double deadline_option(Options& options);

/// Collective. The options in RUN/options.txt with -resume; nothing without it. Throws bad_input if the file
/// cannot be read, or is not a file of `program`.
[[nodiscard]] std::optional<NamedOptions> stored_options(MPI_Comm comm, const std::string& program);
/// Not collective. Sets every option that the user has not given to its stored value, and returns the names
/// of these options. Does not set the process grid, which may be different, nor options that belong neither
/// to the program nor to its solvers (-log_view), which no code would read. `declared`: all options of the
/// program.
std::vector<std::string> recall(const NamedOptions& stored, const Options& declared);

/// Not collective. Sets every option that the user has not given to its value in `config` (the options of a
/// stored run, Checkpoint::config), and returns the names of these options. Does not set the options of one
/// invocation and the process grid. The solver options then count as used, so that a program without these
/// solvers does not call them unknown. `own`: the options of poise-train; if one of them has no value in
/// `config`, it is not set.
std::vector<std::string> recall_options(const std::vector<std::pair<std::string, std::string>>& config,
                                        const Options& own);

/// The text of options.txt: one option per line, "-name value", or "-name" for a flag of a solver. The first
/// line is a comment that names `program` and says that it repeats `what` ("the run").
[[nodiscard]] std::string options_text(const Options& options, const std::string& program,
                                       const std::string& what);
/// The same for options that no Options object has declared.
[[nodiscard]] std::string options_text(const NamedOptions& options, const std::string& program,
                                       const std::string& what);

}  // namespace run
}  // namespace poise
