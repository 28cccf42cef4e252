#include "poise/base/output.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "poise/base/check.hpp"

namespace poise {
inline namespace base {

void warn(const std::string& message) {
  std::fprintf(stderr, "poise: warning: %s\n", message.c_str());
}

void warn(MPI_Comm comm, const std::string& message) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank == 0) warn(message);
}

namespace {

bool holds_unread_bytes(int descriptor) noexcept {
  struct stat file {};
  int bytes = 0;
  return ::fstat(descriptor, &file) == 0 && S_ISFIFO(file.st_mode) &&
         ::ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace

void wait_until_read() noexcept {
  constexpr int patience = 1000;  // milliseconds
  const timespec millisecond{0, 1'000'000};
  for (int waited = 0; waited < patience; ++waited) {
    if (!holds_unread_bytes(STDOUT_FILENO) && !holds_unread_bytes(STDERR_FILENO)) return;
    ::nanosleep(&millisecond, nullptr);
  }
}

namespace {

/// The attribute that marks silent communicators. Duplicates inherit it, also the duplicate that PETSc makes
/// for its objects.
int silent_key() {
  static const int key = [] {
    int made = MPI_KEYVAL_INVALID;
    check_mpi(MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &made, nullptr));
    return made;
  }();
  return key;
}

}  // namespace

void silence(MPI_Comm comm) {
  static int mark = 1;  // the attribute points to it; its value does not matter
  check_mpi(MPI_Comm_set_attr(comm, silent_key(), &mark));
}

bool is_silent(MPI_Comm comm) {
  void* mark = nullptr;
  int found = 0;
  check_mpi(MPI_Comm_get_attr(comm, silent_key(), static_cast<void*>(&mark), &found));
  return found != 0;
}

}  // namespace base
}  // namespace poise
