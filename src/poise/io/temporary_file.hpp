#pragma once

#include <mpi.h>

#include <string>

namespace poise {
inline namespace io {

/// The temporary name PATH.tmp under which the ranks write a file, so that a program that fails leaves
/// neither a half-written file nor a damaged older one. Declare it before the file, which is then closed
/// first.
class TemporaryFile {
 public:
  /// Not collective; creates nothing. `comm` must outlive it.
  TemporaryFile(MPI_Comm comm, std::string path) : comm_(comm), path_(std::move(path)) {}
  /// Not collective. Rank 0 removes the file unless it was committed.
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] std::string name() const { return path_ + ".tmp"; }
  /// Collective; the file must be closed. Waits until it is on the disk and gives it its name, in place of an
  /// older file. Throws failure.
  void commit();

 private:
  MPI_Comm comm_;
  std::string path_;
  bool committed_ = false;
};

}  // namespace io
}  // namespace poise
