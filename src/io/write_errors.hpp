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

/// Collective. Returns when every rank is here; a rank with an error aborts the world if that takes seconds,
/// for the others may be waiting for it elsewhere.
void await_others(MPI_Comm comm, const std::exception_ptr& error);

}  // namespace poise
