#pragma once

#include <mpi.h>

#include <string>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace audit {

/// The options that only poise-audit has.
struct AuditOptions {
  std::string run, json;
  Index replay_steps = 2000;
  static AuditOptions from(Options& options);
};

/// Declares the prefixes of the solvers that poise-audit uses: the solvers of poise-train and its own.
void declare_audit_solvers(Options& options);

/// Collective. One audit: checks a run from its checkpoints, prints the table, writes the JSON. Returns done
/// if every row held, failed if one did not, else not_verified if one could not be decided. Throws Error;
/// bad_input also for checkpoints of different runs and for fewer than two checkpoints.
ExitCode audit(Options& options, MPI_Comm comm);

/// The whole program poise-audit: starts MPI and PETSc, reads the command line, checks a run, ends MPI and
/// PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on MPI_COMM_WORLD; call
/// it once. To audit a run with your own models, losses or dynamics, register them before the call.
int audit_main(int argc, char** argv);

}  // namespace audit
}  // namespace poise
