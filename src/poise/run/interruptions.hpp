#pragma once

#include <mpi.h>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace run {

/// Installs signal handlers: TERM, INT (Ctrl-C), HUP (the terminal closes), XCPU and USR1 ask the program to
/// write a checkpoint and stop (exit code 75); USR2 asks it to write a checkpoint and continue. A second INT
/// ends the program at once. The handlers only set flags. Call before MPI starts, so that no early signal
/// kills a rank.
void listen_for_requests();

/// Not collective. Whether this rank was asked to stop.
[[nodiscard]] bool stop_requested();
/// Not collective. Whether this rank was asked for a checkpoint since the last call.
[[nodiscard]] bool checkpoint_requested();

/// Not collective. Seconds from now to the deadline of this invocation: `deadline` if it is positive, else
/// the end of the job (see Interruptions); infinite if there is none. Throws bad_input as Interruptions does.
[[nodiscard]] double seconds_to_deadline(double deadline);

/// Requests from outside a run: signals, a deadline, and a clock that asks for checkpoints. The ranks agree
/// on them once per step.
class Interruptions {
 public:
  /// Collective. `deadline`: stop within so many seconds from now. With 0 the deadline comes from the batch
  /// system (SLURM_JOB_END_TIME on rank 0): that end minus a tenth of the time left, at most 60 s; there is
  /// no deadline if the variable is unset or its time has passed. `checkpoint_seconds`: wall-clock time
  /// between checkpoints; 0: the clock asks for none. Throws bad_input if SLURM_JOB_END_TIME is not a number.
  Interruptions(MPI_Comm comm, double deadline, double checkpoint_seconds);

  enum class Stop { no, signal, deadline };
  struct Request {
    Stop stop = Stop::no;
    bool checkpoint = false;
  };
  /// Collective, once per step. Whether anything has asked for a stop since the start, or for a checkpoint
  /// since the last call; the same on every rank. The deadline asks for a stop as soon as one more step of
  /// the longest duration so far would end after it.
  [[nodiscard]] Request poll();
  /// Every rank must call this after a checkpoint was written: it restarts the clock of `checkpoint_seconds`.
  void saved();

 private:
  MPI_Comm comm_;
  double deadline_, checkpoint_seconds_, last_saved_;  // steady clock; only rank 0 has the deadline
  double last_poll_, longest_step_ = 0.0;
};

/// The time that a run spends on its checkpoints, by one rank's clock. Times are seconds since the run
/// started.
class CheckpointCost {
 public:
  /// Largest share of a run's time for checkpoints, unless the user says how often to write them.
  static constexpr double most_share = 0.05;

  /// Whether one more checkpoint, if it takes as long as the last one, keeps the total within `most_share`.
  [[nodiscard]] bool affords(double now) const { return seconds_ + last_ <= most_share * (now + last_); }
  void add(double seconds) {
    ++written_;
    last_ = seconds;
    seconds_ += seconds;
  }
  void leave_out() { ++left_out_; }

  [[nodiscard]] Index written() const { return written_; }
  [[nodiscard]] Index left_out() const { return left_out_; }
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  Index written_ = 0, left_out_ = 0;
  double seconds_ = 0.0, last_ = 0.0;
};

}  // namespace run
}  // namespace poise
