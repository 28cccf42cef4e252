#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise {
inline namespace run {

/// One line of the table of an ensemble.
struct EnsembleLine {
  std::string name;
  NamedOptions options;
  std::string where;  ///< FILE:line, for messages
};

/// Reads the table of an ensemble. Each line is a member: its name, a colon and its options of poise-train.
/// `#` begins a comment; empty lines are ignored. Words are separated by blanks, without quotes. `path` is
/// for messages. Not collective; every rank has the same text. Throws bad_input, with FILE:line, if a line
/// does not have this form, if a name is already taken, cannot name a folder or names a file of the ensemble,
/// if an option is given twice or is about the ensemble as a whole, or if there is no member.
[[nodiscard]] std::vector<EnsembleLine> parse_ensemble(const std::string& text, const std::string& path);

/// The table of a grid, the text of -grid: parts NAME=VALUES, separated by blanks; values are separated by
/// commas, and A:B stands for the integers from A to B - 1. One member per combination, the last part running
/// fastest, with a name as in gamma-0.5_seed-0. Not collective. Throws bad_input that names the part that
/// does not have this form, is empty or comes twice, or the number of members if it is too large.
[[nodiscard]] std::string table_of_grid(const std::string& grid);

/// The options of the ensemble as a whole.
struct EnsembleSettings {
  std::string file, grid, run;
  int ranks = 1;
  double deadline = 0.0;
  bool resume = false;

  /// Declares and reads -ensemble, -grid and -ensemble_ranks. Throws bad_input.
  static EnsembleSettings from(Options& options);
  /// Reads -run, -resume and -deadline, which a single run has, too; TrainSettings has their help.
  void read_run(Options& options);
  /// Collective. With -resume and without a table: if -run is the directory of an ensemble, takes its table,
  /// and the options that the user has not given from its options.txt. Throws bad_input.
  void recall(MPI_Comm comm);
  /// Whether there is a table of trainings.
  [[nodiscard]] bool given() const { return !file.empty() || !grid.empty(); }
  /// What makes the table, for people.
  [[nodiscard]] std::string name() const { return grid.empty() ? file : "-grid \"" + grid + "\""; }
};

/// Not collective. Declares all options of the program poise-train: of a training, of an ensemble, and the
/// prefixes of the solvers.
void declare_train_program(Options& options);
/// Collective. With -resume: sets the options of poise-train that the user has not given to their values in
/// RUN/options.txt, and returns their names. Throws bad_input if the file cannot be read.
std::vector<std::string> recall_options(MPI_Comm comm);

/// One training of an ensemble.
struct EnsembleMember {
  std::string name;
  NamedOptions options;   ///< from the command line and the line of the table
  NamedOptions resolved;  ///< all options, with defaults
};

struct EnsemblePlan {
  std::vector<EnsembleMember> members;
  std::string text;     ///< the table as it was read
  NamedOptions common;  ///< options of all members, from the command line
};

/// Collective. Reads the table and checks the options of every member. Options of the command line apply to
/// every member; the line of a member overrides them and its own -options_file. Throws bad_input with
/// FILE:line. Without `resume` the headers of the data files are checked, too. A member checks when it starts
/// what only its solvers and samples can tell: values of PETSc's options, option names after a solver's
/// prefix, numbers in the data that are not finite.
[[nodiscard]] EnsemblePlan plan_ensemble(MPI_Comm comm, const EnsembleSettings& settings);

}  // namespace run
}  // namespace poise
