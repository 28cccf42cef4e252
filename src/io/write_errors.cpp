#include "poise/io/write_errors.hpp"

#include <unistd.h>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

/// The handler is not told which file it is; all ranks write one at a time.
std::string written_path;

void end_of_write(MPI_File*, int* code, ...) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(*code, text, &length);
  abort_world(std::make_exception_ptr(failure("cannot write file '" + written_path + "': " + text)));
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

void await_others(MPI_Comm comm, const std::exception_ptr& error) {
  constexpr double patience = 5.0;  // seconds; slow ranks lose nothing but an orderly end
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm, &request));
  if (!error) {
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
    return;
  }
  const double begin = MPI_Wtime();
  int here = 0;
  while (here == 0 && MPI_Wtime() - begin < patience) {
    check_mpi(MPI_Test(&request, &here, MPI_STATUS_IGNORE));
    ::usleep(1000);
  }
  if (here == 0) abort_world(error);
}

}  // namespace poise
