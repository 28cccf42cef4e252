#pragma once

#include <mpi.h>

#include <exception>
#include <string>

namespace poise {

/// While it lives, the files that MPI opens get an error handler: a rank whose read or write fails prints so,
/// with `path`, and aborts the world. The others are, or soon will be, inside a collective call that it will
/// not come to, and HDF5 cannot be got out of it. Not collective.
class WriteErrorHandler {
 public:
  explicit WriteErrorHandler(const std::string& path);
  ~WriteErrorHandler();
  WriteErrorHandler(const WriteErrorHandler&) = delete;
  WriteErrorHandler& operator=(const WriteErrorHandler&) = delete;

 private:
  MPI_Errhandler before_ = MPI_ERRHANDLER_NULL, handler_ = MPI_ERRHANDLER_NULL;
};

/// Collective. For what all ranks did inside HDF5. If all of them failed, or none, it returns; a rank that
/// failed while others did not, or have not come after some seconds, aborts the world: what HDF5 holds on the
/// ranks is no longer the same, and closing the file could wait for ever.
void require_same_fate(MPI_Comm comm, const std::exception_ptr& error);

}  // namespace poise
