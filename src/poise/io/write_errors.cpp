#include "poise/io/write_errors.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

/// The handler is not told which file it is; all ranks write one at a time.
std::string written_path;

/// What the system said, where it is a cause: MPI's own text often knows no more than "input/output error".
/// On a rank that has only heard of the failure errno is an old one.
std::string cause_of(int code) {
  for (const int cause : {EIO, ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM, ESTALE, ENOMEM})
    if (code == cause) return std::string(std::strerror(code)) + ", ";
  return {};
}

void end_of_write(MPI_File*, int* code, ...) {
  const std::string cause = cause_of(errno);
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(*code, text, &length);
  abort_world(std::make_exception_ptr(failure("cannot write file '" + written_path + "': " + cause + text)));
}

}  // namespace

WriteErrorHandler::WriteErrorHandler(const std::string& path) {
  written_path = path;
  check_mpi(MPI_File_get_errhandler(MPI_FILE_NULL, &before_));
  check_mpi(MPI_File_create_errhandler(end_of_write, &handler_));
  check_mpi(MPI_File_set_errhandler(MPI_FILE_NULL, handler_));
}

WriteErrorHandler::~WriteErrorHandler() {
  MPI_File_set_errhandler(MPI_FILE_NULL, before_);
  MPI_Errhandler_free(&before_);
  MPI_Errhandler_free(&handler_);
}

void require_same_fate(MPI_Comm comm, const std::exception_ptr& error) {
  constexpr double patience = 5.0;  // seconds; slow ranks lose nothing but an orderly end
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  int failed = error ? 1 : 0;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, comm, &request));
  if (!error) {
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
    return;
  }
  const double begin = steady_seconds();
  int here = 0;
  while (here == 0 && steady_seconds() - begin < patience) {
    check_mpi(MPI_Test(&request, &here, MPI_STATUS_IGNORE));
    ::usleep(1000);
  }
  if (here == 0 || failed < size) abort_world(error);
}

}  // namespace poise
