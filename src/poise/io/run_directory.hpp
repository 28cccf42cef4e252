#pragma once

#include <mpi.h>

#include <string>
#include <utility>

namespace poise {

/// Keeps a directory of results for one program at a time: rank 0 holds a lock of DIR/.lock, and the kernel
/// (with NFS the file server) gives it back when that process is gone, also after kill -9. The file stays,
/// empty; while the lock is held it names the holder. Readers need none.
class RunLock {
 public:
  /// Collective. Makes `directory` where it is missing. Throws bad_input that names the holder (host,
  /// process, SLURM job) if another program holds the lock, failure if it or DIR/.lock cannot be made. Where
  /// the file system has no locks a warning says so, once.
  RunLock(MPI_Comm comm, const std::string& directory);
  ~RunLock();
  RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;

 private:
  int descriptor_ = -1;  // rank 0 only
};

/// The folder of a run: DIR/run.h5, DIR/checkpoints/, DIR/options.txt, and DIR/DONE once the run has reached
/// its end. As long as this object lives, no other program writes there.
class RunDirectory {
 public:
  enum class Start { anew, resume };
  /// Collective. Creates DIR and DIR/checkpoints where they are missing. Throws bad_input if another program
  /// writes there, or if a new run would meet the results of another run or a study; failure if the folders
  /// cannot be made.
  ///
  /// A run.h5 without any checkpoint does not block a new run: it is of a start that ended before its first
  /// one. It becomes run.h5.old, and a warning says so.
  RunDirectory(MPI_Comm comm, std::string path, Start start);

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
  RunLock lock_;
};

/// Collective. The folder of a study, DIR: creates it where it is missing and keeps it for this program.
/// Throws bad_input if another program writes there, or if it already holds a run or a study; failure if it
/// cannot be made.
[[nodiscard]] RunLock make_study_directory(MPI_Comm comm, const std::string& path);

/// Collective. Makes the directory runs/NAME-DATE-TIME for what starts now, and returns its path: of several
/// that start within a second, the later ones get -2, -3, … at the end. The clock is rank 0's (UTC). Throws
/// failure, the same on every rank, if it cannot be made.
[[nodiscard]] std::string make_dated_directory(MPI_Comm comm, const std::string& name);

}  // namespace poise
