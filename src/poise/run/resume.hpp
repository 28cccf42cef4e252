#pragma once

#include <mpi.h>

#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"

namespace poise {
inline namespace run {

/// Not collective. Rank 0 tells on stderr of the damaged checkpoints that were passed over.
void warn_of_damage(MPI_Comm comm, const FoundCheckpoint& found);

/// Collective. The newest valid checkpoint, after telling (rank 0, stderr) of the damaged ones that were
/// passed over. Throws bad_input if there is none.
[[nodiscard]] FoundCheckpoint find_checkpoint(MPI_Comm comm, const RunDirectory& directory);

/// Collective. The history up to the checkpoint of `step`. Throws bad_input if run.h5 is damaged; where it is
/// missing, or ends more than `record_every` steps before, a warning says so and the run goes on: its
/// parameters are whole.
[[nodiscard]] History find_history(MPI_Comm comm, const RunDirectory& directory, Index step,
                                   Index record_every);

/// Not collective. Throws bad_input unless the options that make a run what it is are those of the
/// checkpoint, and the end, too, if the steps of `dynamics` depend on it.
void require_same_run(const Checkpoint& checkpoint, const Options& options, const DynamicsKind& dynamics);

}  // namespace run
}  // namespace poise
