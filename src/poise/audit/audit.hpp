#pragma once

#include <mpi.h>

#include <string>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {

/// The options of poise-audit alone.
struct AuditOptions {
  std::string run, json;
  Index replay_steps = 2000;
  static AuditOptions from(Options& options);
};

/// Declares the prefixes of the solvers that poise-audit uses: those of poise-train and its own.
void declare_audit_solvers(Options& options);

/// Collective. All of poise-audit: checks a run from its checkpoints, prints the table, writes the JSON.
/// Returns done if every row held, else failed. Throws Error; bad_input also for mixed runs and too few
/// checkpoints.
ExitCode audit(Options& options, MPI_Comm comm);

/// All of poise-audit, as its main calls it: starts MPI and PETSc, reads the command line, checks a run, ends
/// MPI and PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on
/// MPI_COMM_WORLD; call it once. A run with dynamics of your own is audited by a program that registers them
/// before.
int audit_main(int argc, char** argv);

}  // namespace poise
