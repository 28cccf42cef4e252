#pragma once

#include <mpi.h>

#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"

namespace poise {
inline namespace run {

/// Not collective. Rank 0 warns on stderr of every damaged checkpoint that the search has skipped.
void warn_of_damage(MPI_Comm comm, const FoundCheckpoint& found);

/// Collective. Returns the newest valid checkpoint; calls warn_of_damage. Throws bad_input if no checkpoint
/// is valid.
[[nodiscard]] FoundCheckpoint find_checkpoint(MPI_Comm comm, const RunDirectory& directory);

/// Collective. The history up to the checkpoint of `step`. Throws bad_input if run.h5 is damaged. If run.h5
/// is missing, or ends `record_every` or more steps before `step`, rank 0 warns and the run goes on, because
/// its parameters are complete.
[[nodiscard]] History find_history(MPI_Comm comm, const RunDirectory& directory, Index step,
                                   Index record_every);

/// Not collective. Throws bad_input if an option of Role::identity has a different value than in the
/// checkpoint, or an option of Role::end if the steps of `dynamics` depend on the end.
void require_same_run(const Checkpoint& checkpoint, const Options& options, const DynamicsKind& dynamics);

}  // namespace run
}  // namespace poise
