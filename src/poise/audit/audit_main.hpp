#pragma once

namespace poise {

/// All of poise-audit, as its main calls it: starts MPI and PETSc, reads the command line, checks a run, ends
/// MPI and PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on
/// MPI_COMM_WORLD; call it once. A run with dynamics of your own is audited by a program that registers them
/// before.
int audit_main(int argc, char** argv);

}  // namespace poise
