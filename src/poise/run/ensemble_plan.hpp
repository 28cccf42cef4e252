#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/petsc/own_options.hpp"

namespace poise {

/// One line of the table of an ensemble.
struct EnsembleLine {
  std::string name;
  NamedOptions options;
  std::string where;  ///< FILE:line, for messages
};

/// The table of an ensemble: a line a member, its name, a colon and its options of poise-train; `#` begins a
/// comment; empty lines count for nothing. Words are separated by blanks, without quotes. `path` is for
/// messages. Not collective; every rank has the same text. Throws bad_input, with FILE:line, where a line has
/// not this form, where a name is taken, is none for a folder or stands for a file of the ensemble, where an
/// option stands twice or belongs to the ensemble as a whole, and if there is no member.
[[nodiscard]] std::vector<EnsembleLine> parse_ensemble(const std::string& text, const std::string& path);

/// What the ensemble as a whole is told.
struct EnsembleSettings {
  std::string file, run;
  int ranks = 1;
  double deadline = 0.0;
  bool resume = false;

  /// Declares and reads -ensemble and -ensemble_ranks. Throws bad_input.
  static EnsembleSettings from(Options& options);
  /// Reads what a single run has, too (TrainSettings has their help): -run, -resume, -deadline.
  void read_run(Options& options);
};

/// One training of an ensemble.
struct EnsembleMember {
  std::string name;
  NamedOptions options;   ///< those given to it: command line and line of the table
  NamedOptions resolved;  ///< with the defaults
};

struct EnsemblePlan {
  std::vector<EnsembleMember> members;
  std::string text;  ///< the table as it was read
};

/// Collective. Reads the table and checks the options of every member, of which those that are not the
/// ensemble's own come from the database; the member's line wins over them, and over its -options_file.
/// Throws bad_input with FILE:line. Of a table that begins anew the headers of the data files are checked,
/// too. What only the solvers and the samples can tell is left to the member's start: values of PETSc's
/// options, names behind the prefix of a solver, numbers that are not finite.
[[nodiscard]] EnsemblePlan plan_ensemble(MPI_Comm comm, const EnsembleSettings& settings);

}  // namespace poise
