// The calls of libc that work on files.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>

#include "faults/fault_plan.hpp"

using namespace faults;

namespace {

/// Whether a call that moves no bytes must fail; errno is set.
template <class File>
bool refused(const char* name, File file) {
  const int error = outcome(name, file);
  if (error > 0) errno = error;
  return error > 0;
}

/// A transfer of `size` bytes; `transfer` makes it.
template <class Transfer>
ssize_t moved(const char* name, int descriptor, std::size_t size, Transfer&& transfer) {
  const int what = outcome(name, descriptor);
  if (what > 0) {
    errno = what;
    return -1;
  }
  const ssize_t done = transfer(what == go_on ? size : size / 2);
  if (what == half_then_kill) (void)kill(getpid(), SIGKILL);
  return done;
}

}  // namespace

// A call that succeeds or fails as a whole; FILE is the path or the descriptor that it works on.
#define WHOLE(type, function, parameters, arguments, call, file, failed) \
  type function parameters {                                             \
    REAL(function);                                                      \
    return refused(call, file) ? (failed) : real arguments;              \
  }
#define OPEN(function, parameters, ...)                                                  \
  int function parameters {                                                              \
    REAL(function);                                                                      \
    va_list rest;                                                                        \
    va_start(rest, flags);                                                               \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                                        \
    return refused("open", path) ? -1 : real(__VA_ARGS__, flags, mode);                  \
  }
#define TRANSFER(function, data, call)                                                      \
  ssize_t function(int fd, data* buffer, size_t size) {                                     \
    REAL(function);                                                                         \
    return moved(call, fd, size, [&](std::size_t part) { return real(fd, buffer, part); }); \
  }
#define TRANSFER_AT(function, data, call)                                                       \
  ssize_t function(int fd, data* buffer, size_t size, off_t at) {                               \
    REAL(function);                                                                             \
    return moved(call, fd, size, [&](std::size_t part) { return real(fd, buffer, part, at); }); \
  }
// Half of a vector of buffers is its first half; half of a single buffer is its first byte.
#define TRANSFER_VECTOR(function, parameters, call, ...)                                       \
  ssize_t function parameters {                                                                \
    REAL(function);                                                                            \
    return moved(call, fd, static_cast<std::size_t>(count), [&](std::size_t part) -> ssize_t { \
      const iovec one{vector->iov_base, vector->iov_len / 2};                                  \
      return part > 0 ? real(fd, vector, static_cast<int>(part) __VA_OPT__(, ) __VA_ARGS__)    \
                      : real(fd, &one, 1 __VA_OPT__(, ) __VA_ARGS__);                          \
    });                                                                                        \
  }
extern "C" {

OPEN(open, (const char* path, int flags, ...), path)
OPEN(open64, (const char* path, int flags, ...), path)
OPEN(openat, (int folder, const char* path, int flags, ...), folder, path)
OPEN(openat64, (int folder, const char* path, int flags, ...), folder, path)
WHOLE(int, creat, (const char* path, mode_t mode), (path, mode), "open", path, -1)
WHOLE(int, creat64, (const char* path, mode_t mode), (path, mode), "open", path, -1)
WHOLE(FILE*, fopen, (const char* path, const char* mode), (path, mode), "open", path, nullptr)
WHOLE(FILE*, fopen64, (const char* path, const char* mode), (path, mode), "open", path, nullptr)
TRANSFER(read, void, "read")
TRANSFER(write, const void, "write")
TRANSFER_AT(pread, void, "pread")
TRANSFER_AT(pread64, void, "pread")
TRANSFER_AT(pwrite, const void, "pwrite")
TRANSFER_AT(pwrite64, const void, "pwrite")
TRANSFER_VECTOR(readv, (int fd, const iovec* vector, int count), "readv")
TRANSFER_VECTOR(writev, (int fd, const iovec* vector, int count), "writev")
TRANSFER_VECTOR(preadv, (int fd, const iovec* vector, int count, off_t at), "readv", at)
TRANSFER_VECTOR(pwritev, (int fd, const iovec* vector, int count, off_t at), "writev", at)
WHOLE(int, fsync, (int fd), (fd), "fsync", fd, -1)
WHOLE(int, fdatasync, (int fd), (fd), "fsync", fd, -1)
WHOLE(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), "fallocate", fd, -1)
WHOLE(int, ftruncate, (int fd, off_t size) noexcept, (fd, size), "truncate", fd, -1)
WHOLE(int, truncate, (const char* path, off_t size) noexcept, (path, size), "truncate", path, -1)
WHOLE(int, rename, (const char* path, const char* to) noexcept, (path, to), "rename", path, -1)
WHOLE(int, unlink, (const char* path) noexcept, (path), "unlink", path, -1)
WHOLE(int, unlinkat, (int folder, const char* path, int flags) noexcept, (folder, path, flags), "unlink",
      path, -1)
WHOLE(int, remove, (const char* path) noexcept, (path), "unlink", path, -1)
WHOLE(int, mkdir, (const char* path, mode_t mode) noexcept, (path, mode), "mkdir", path, -1)
WHOLE(int, stat, (const char* path, struct stat* out) noexcept, (path, out), "stat", path, -1)

// A close that fails closes the file all the same, as on Linux.
int close(int fd) {
  REAL(close);
  const bool failed = refused("close", fd);
  const int error = errno;
  const int code = real(fd);
  if (failed) errno = error;
  return failed ? -1 : code;
}

}  // extern "C"
