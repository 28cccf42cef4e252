#pragma once

namespace poise {

/// All of poise-spectrum, as its main calls it: starts MPI and PETSc, reads the command line, reports the
/// spectral quantities of a checkpoint, ends MPI and PETSc. Returns the exit code, the same on every rank;
/// throws nothing. Collective on MPI_COMM_WORLD; call it once. If your own program registers models, losses
/// or dynamics before this call, it can report on runs that use them.
int spectrum_main(int argc, char** argv);

}  // namespace poise
