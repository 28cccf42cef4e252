#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// The folder of a run: DIR/run.h5, DIR/checkpoints/, DIR/options.txt.
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

  /// Collective. Writes DIR/options.txt atomically (rank 0's text).
  void write_options(const std::string& text) const;

 private:
  MPI_Comm comm_;
  std::string path_;
  bool held_run_ = false;
};

}  // namespace poise
