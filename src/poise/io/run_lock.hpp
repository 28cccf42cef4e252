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

}  // namespace poise
