#pragma once

#include <mpi.h>

namespace poise {

/// What breaks into a run from outside: signals, a deadline, and a clock that wants checkpoints. The ranks
/// agree on it once a step.
class Interruptions {
 public:
  /// Collective. `deadline`: seconds from now within which to stop; 0: a tenth, at most 60 s, before the end
  /// that a batch system announces (SLURM_JOB_END_TIME on rank 0), never if there is none or it has passed.
  /// `checkpoint_seconds`: wall time between checkpoints; 0: none by the clock. Throws bad_input if the
  /// announced end is not a number.
  Interruptions(MPI_Comm comm, double deadline, double checkpoint_seconds);

  enum class Stop { no, signal, deadline };
  struct Request {
    Stop stop = Stop::no;
    bool checkpoint = false;
  };
  /// Collective, once a step. Whether a stop was asked for since the start, or a checkpoint since the last
  /// call; the same on every rank. The deadline is met where another step, as long as the longest so far,
  /// would end after it.
  [[nodiscard]] Request poll();
  /// Collective only in that every rank must call it: a checkpoint was written, its clock starts anew.
  void saved();

 private:
  MPI_Comm comm_;
  double deadline_, checkpoint_seconds_, last_saved_;  // by the steady clock; the deadline on rank 0 only
  double last_poll_, longest_step_ = 0.0;
};

}  // namespace poise
