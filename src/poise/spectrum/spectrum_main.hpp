#pragma once

namespace poise {

/// All of poise-spectrum, as its main calls it: starts MPI and PETSc, reads the command line, reports the
/// spectral quantities of a checkpoint, ends MPI and PETSc. Returns the exit code, the same on every rank;
/// throws nothing. Collective on MPI_COMM_WORLD; call it once. A program of your own that registers models,
/// losses or dynamics before reports on runs that were made with them.
int spectrum_main(int argc, char** argv);

}  // namespace poise
