#pragma once

#include <mpi.h>

#include <string>

#include "poise/base/options.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/run/settings.hpp"

namespace poise {
inline namespace run {

// For programs that inspect a run, finished or not: open a checkpoint, take the run's options from it, and
// build an Experiment from both.

/// The options that choose a checkpoint.
struct StoredRunName {
  std::string run, checkpoint;
  std::string step = "last";  ///< a number, last, or best (of the validation samples)

  /// Declares and reads -run, -checkpoint and -step.
  static StoredRunName from(Options& options);
};

/// Declares -grid_feature_ranks of programs that inspect a stored run, for -help only.
void declare_feature_ranks(Options& options);

/// Declares all options of programs that inspect a stored run, for -help only.
void declare_stored_run(Options& options);

/// Collective. A checkpoint of the run directory `run`: `step` is the number of a step, `last` for the newest
/// valid checkpoint (warns about newer, damaged ones), or `best` for the step that the newest valid
/// checkpoint calls the best one for the validation samples. `option` names the option in messages. Throws
/// bad_input if there is no such checkpoint.
[[nodiscard]] Checkpoint open_step(MPI_Comm comm, const std::string& run, const std::string& step,
                                   const std::string& option);

/// Collective. The checkpoint that the options name: -checkpoint FILE, or -run DIR with -step. Throws
/// bad_input if there is no such checkpoint or the options contradict each other.
[[nodiscard]] Checkpoint open_stored_run(MPI_Comm comm, Options& options);

/// Collective. The settings that the run of a checkpoint was made with. Options of this program override the
/// run's options if they do not identify the run (Role::identity): -data, which may have moved, the
/// process grid, solvers. Throws bad_input for an option that identifies the run and has a different value.
/// Options of the run's solvers count as used, so that Options::reject_unknown finds misspelt options of this
/// command line only.
[[nodiscard]] TrainSettings recall_settings(Options& options, const Checkpoint& checkpoint);

}  // namespace run
}  // namespace poise
