#pragma once

#include <mpi.h>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Lets TERM, INT (Ctrl-C), HUP (a terminal that closes), XCPU and USR1 ask the program to write a checkpoint
/// and stop (exit code 75), and USR2 to write one and go on. A second INT ends the program at once. The
/// handlers only set flags. Call before MPI starts, so that no early signal kills a rank.
void listen_for_requests();

/// Not collective. Whether this rank was asked to stop.
[[nodiscard]] bool stop_requested();
/// Not collective. Whether this rank was asked for a checkpoint since the last call.
[[nodiscard]] bool checkpoint_requested();

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

/// What checkpoints cost of the time of a run, by one rank's clock. Times are seconds since the run started.
class CheckpointCost {
 public:
  /// The most that checkpoints take of a run unless the user says how often to write them.
  static constexpr double most_share = 0.05;

  /// Whether one more, which takes as long as the last one, keeps them all within the share.
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

}  // namespace poise
