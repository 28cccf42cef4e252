#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/run/ensemble_plan.hpp"

namespace poise {

/// Collective. The trainings of a table, each on a group of ranks as `train` would do it alone, in
/// RUN/NAME, its output in RUN/NAME/log.txt. Options that are not the ensemble's own come from the
/// database. A group that is free takes the next member; one that fails leaves the others alone. With
/// `resume`, members that are done stay, others go on from their checkpoints or begin.
///
/// Writes RUN/ensemble.txt (the table) at the start, RUN/ensemble.h5 at the end, and RUN/DONE once all
/// members are done. Returns done, or requeue where a signal or the deadline came: members that ran have
/// stopped with a checkpoint, others were not begun. Throws bad_input before anything is created, failure
/// that names the members that failed.
ExitCode train_ensemble(MPI_Comm comm, EnsembleSettings settings);

}  // namespace poise
