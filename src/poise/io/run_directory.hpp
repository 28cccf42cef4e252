#pragma once

#include <mpi.h>

#include <string>
#include <utility>

namespace poise {
inline namespace io {

/// Reserves a directory of results for one program at a time: rank 0 holds a lock on DIR/.lock, and the
/// kernel (with NFS the file server) releases it when that process ends, even by kill -9. The file then
/// stays, empty; while the lock is held it names the holder. Readers need no lock.
class RunLock {
 public:
  /// Collective. Creates `directory` if it is missing. Throws bad_input that names the holder (host, process,
  /// SLURM job) if another program holds the lock; failure if the directory or DIR/.lock cannot be created.
  /// Warns if the file system has no locks.
  RunLock(MPI_Comm comm, const std::string& directory);
  ~RunLock();
  RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;

 private:
  int descriptor_ = -1;  // rank 0 only
};

/// The folder of a run: DIR/run.h5, DIR/checkpoints/, DIR/options.txt, and DIR/DONE once the run has reached
/// its end. While this object lives, no other program writes there.
class RunDirectory {
 public:
  enum class Start { anew, resume };
  /// Collective. Creates DIR and DIR/checkpoints if they are missing. Throws bad_input if another program
  /// writes there, or if `start` is anew and the folder already holds a run or a study; failure if the
  /// folders cannot be created.
  ///
  /// A run.h5 without any checkpoint does not block a new run, because it comes from a run that ended before
  /// its first checkpoint. It is renamed to run.h5.old with a warning.
  RunDirectory(MPI_Comm comm, std::string path, Start start);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string run_file() const { return path_ + "/run.h5"; }
  [[nodiscard]] std::string checkpoints() const { return path_ + "/checkpoints"; }
  [[nodiscard]] std::string done_file() const { return path_ + "/DONE"; }

  /// Collective. Writes DIR/options.txt atomically (rank 0's text).
  void write_options(const std::string& text) const;

  /// Collective. Writes DIR/DONE, which says that the run has reached its end; the exit code of a launcher is
  /// not reliable if a node is lost. Call after everything else has been written. Waits until the file is on
  /// the disk.
  void mark_done(const std::string& text) const;
  /// Collective. Removes DIR/DONE when the run continues, and waits until the removal is on the disk.
  void clear_done() const;

 private:
  MPI_Comm comm_;
  std::string path_;
  RunLock lock_;
};

/// Collective. Creates the folder of a study if it is missing, and locks it for this program. Throws
/// bad_input if another program writes there, or if it already holds a run, or a study and `start` is anew;
/// failure if it cannot be created.
[[nodiscard]] RunLock make_study_directory(MPI_Comm comm, const std::string& path, RunDirectory::Start start);

/// Collective. Creates a new directory runs/NAME-DATE-TIME and returns its path. If several programs start
/// within a second, the later ones append -2, -3, …. The time is rank 0's (UTC). Throws failure, the same on
/// every rank, if the directory cannot be created.
[[nodiscard]] std::string make_dated_directory(MPI_Comm comm, const std::string& name);

}  // namespace io
}  // namespace poise
