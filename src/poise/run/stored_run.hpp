#pragma once

#include <mpi.h>

#include <string>

#include "poise/base/options.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/run/settings.hpp"

namespace poise {

// For programs that look at a run after or while it was made: open a checkpoint, take the run's options from
// it, and build an Experiment of both.

/// Which checkpoint is meant.
struct StoredRunName {
  std::string run, checkpoint;
  Index step = -1;

  /// Declares and reads -run, -checkpoint and -step. Throws bad_input where they do not go together.
  static StoredRunName from(Options& options);
};

/// Declares what programs that look at a stored run take besides, for -help alone.
void declare_stored_run(Options& options);

/// Collective. The checkpoint that the options name: -checkpoint FILE, or -run DIR with -step N, or the
/// newest valid one of -run DIR (damaged ones that were passed over are told of). Throws bad_input if there
/// is none.
[[nodiscard]] Checkpoint open_stored_run(MPI_Comm comm, Options& options);

/// Collective. The settings that the run of a checkpoint was made with. Options of this program win where
/// they do not make the run what it is: -data, which may have moved, the process grid, solvers. One that
/// contradicts the run (see identity_options) is bad_input. Options of the run's own solvers count as used,
/// so that Options::reject_unknown finds what is misspelt on this command line and nothing else.
[[nodiscard]] TrainSettings recall_settings(Options& options, const Checkpoint& checkpoint);

}  // namespace poise
