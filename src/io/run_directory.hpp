#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// The folder of a run: DIR/run.h5, DIR/checkpoints/, DIR/options.txt, and DIR/DONE once the run has reached
/// its end.
class RunDirectory {
 public:
  /// Collective. Creates DIR and DIR/checkpoints where they are missing. Throws failure if that is
  /// impossible.
  RunDirectory(MPI_Comm comm, std::string path);

  /// Whether DIR already held a run.h5 or a checkpoint: without -resume, refuse to overwrite it.
  [[nodiscard]] bool held_run() const { return held_run_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string run_file() const { return path_ + "/run.h5"; }
  [[nodiscard]] std::string checkpoints() const { return path_ + "/checkpoints"; }
  [[nodiscard]] std::string done_file() const { return path_ + "/DONE"; }

  /// Collective. Writes DIR/options.txt atomically (rank 0's text).
  void write_options(const std::string& text) const;

  /// Collective. DIR/DONE says that the run has reached its end: exit codes of launchers do not, when a node
  /// is lost. Call after everything else has been written. Waits until it is on the disk.
  void mark_done(const std::string& text) const;
  /// Collective. Removes DIR/DONE, on the disk, too: the run goes on.
  void clear_done() const;

 private:
  MPI_Comm comm_;
  std::string path_;
  bool held_run_ = false;
};

}  // namespace poise
