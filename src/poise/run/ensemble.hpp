#pragma once

#include <mpi.h>

#include "poise/base/error.hpp"
#include "poise/run/ensemble_plan.hpp"

namespace poise {
inline namespace run {

/// Collective. Runs the trainings of a table, each on a group of ranks and with the same result as `train`
/// alone. The run directory of a member is RUN/NAME, its output goes to RUN/NAME/log.txt. Options that are
/// not about the ensemble come from the database. A group that is free takes the next member; a member that
/// fails does not disturb the others. With `resume`, finished members stay as they are, the others continue
/// from their checkpoints or begin.
///
/// Writes RUN/ensemble.txt (the table) at the start, RUN/ensemble.h5 at the end, and RUN/DONE once all
/// members are done. Returns done, or requeue after a signal or at the deadline: running members then stop
/// with a checkpoint, and the remaining ones are not begun. Throws bad_input before anything is created;
/// throws failure, naming the members that failed.
ExitCode train_ensemble(MPI_Comm comm, EnsembleSettings settings);

}  // namespace run
}  // namespace poise
