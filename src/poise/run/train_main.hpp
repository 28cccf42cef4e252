#pragma once

namespace poise {

/// All of poise-train, as its main calls it: starts MPI and PETSc, reads the command line, trains or runs an
/// ensemble, ends MPI and PETSc. Returns the exit code, the same on every rank; throws nothing. Collective on
/// MPI_COMM_WORLD; call it once. Register dynamics of your own (dynamics_kind.hpp) and the like before.
int train_main(int argc, char** argv);

}  // namespace poise
