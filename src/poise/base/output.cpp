#include "poise/base/output.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "poise/base/check.hpp"

namespace poise {
inline namespace base {

namespace {

/// The file of keep_log, as this rank sees it. Ranks other than 0 seldom print: they open it when they do.
class Log {
 public:
  /// Keeps the text in memory until the file is known and `flush` is called.
  void add(const std::string& text) {
    if (!lost_ && (!path_.empty() || pending_.size() < most_pending)) pending_ += text;
  }
  /// Begins the file. What was printed before comes behind `head`.
  void begin(const std::string& path, const std::string& head) {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    lost_ = false;
    path_ = path;
    pending_.insert(0, head);
  }
  void flush() noexcept {
    if (path_.empty()) return;
    write(pending_.data(), pending_.size());
    pending_.clear();
  }
  /// Allocates nothing. Writes only behind what `flush` has written.
  void write(const char* text, std::size_t size) noexcept {
    if (size == 0 || lost_ || path_.empty()) return;
    if (file_ < 0) file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (file_ >= 0 && size > 0) {
      const ssize_t done = ::write(file_, text, size);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) break;
      text += done;
      size -= static_cast<std::size_t>(done);
    }
    if (size > 0) lose(std::strerror(errno));
  }

 private:
  void lose(const char* cause) noexcept {
    lost_ = true;
    std::fprintf(
        stderr,
        "poise: warning: cannot write '%s': %s; the run goes on, but the log lacks what is printed from "
        "here on\n",
        path_.c_str(), cause);
  }

  static constexpr std::size_t most_pending = std::size_t{1} << 16;  // of a program that keeps no log
  std::string path_, pending_;
  int file_ = -1;
  bool lost_ = false;
};

Log& the_log() {
  static Log log;
  return log;
}

}  // namespace

void warn(const std::string& message) {
  std::fprintf(stderr, "poise: warning: %s\n", message.c_str());
  the_log().add("poise: warning: " + message + "\n");
  the_log().flush();
}

void print_error(const char* message, int rank) noexcept {
  std::array<char, 32> of_rank{};
  if (rank >= 0) std::snprintf(of_rank.data(), of_rank.size(), "rank %d: ", rank);
  std::fprintf(stderr, "poise: error: %s%s\n", of_rank.data(), message);
  std::fflush(stderr);
  Log& log = the_log();
  log.flush();
  for (const char* part : {"poise: error: ", static_cast<const char*>(of_rank.data()), message, "\n"})
    log.write(part, std::strlen(part));
}

void say_and_log(const char* format, ...) {
  std::va_list values, again;
  va_start(values, format);
  va_copy(again, values);
  std::string text(static_cast<std::size_t>(std::max(0, std::vsnprintf(nullptr, 0, format, values))), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  va_end(values);
  std::fputs(text.c_str(), stdout);
  the_log().add(text);
}

void flush_output() {
  std::fflush(stdout);
  the_log().flush();
}

void keep_log(MPI_Comm comm, const std::string& path, const std::string& head) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank == 0) the_log().begin(path, head);
  if (rank == 0) the_log().flush();
  check_mpi(MPI_Barrier(comm));  // the other ranks write behind the head
  if (rank > 0) the_log().begin(path, {});
  the_log().flush();
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
