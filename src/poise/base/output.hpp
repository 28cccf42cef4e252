#pragma once

#include <mpi.h>

#include <string>

namespace poise {
inline namespace base {

/// Not collective. Prints "poise: warning: " and the message on stderr. For messages that only one rank has.
void warn(const std::string& message);

/// Not collective. Like `warn`, but only rank 0 of `comm` prints. For messages that every rank has.
void warn(MPI_Comm comm, const std::string& message);

/// Not collective. Prints "poise: error: " and the message on stderr. Allocates nothing, because memory may
/// be exhausted.
void print_error(const char* message, int rank = -1) noexcept;

/// Not collective. Like std::printf; the text also goes to the log of `keep_log`.
[[gnu::format(printf, 1, 2)]] void say_and_log(const char* format, ...);
/// Not collective. Hands what was printed on stdout and in the log to the operating system.
void flush_output();

/// Collective on `comm`. From now on until the end of the program, what `say_and_log`, `warn` and
/// `print_error` print is also appended to the file `path`. The text `head` of rank 0 comes first, then the
/// warnings since the start of the program. A log that cannot be written harms nothing: a warning says so,
/// and the log ends there.
void keep_log(MPI_Comm comm, const std::string& path, const std::string& head);

/// Not collective. Returns when the reader of standard output and standard error has taken all that this
/// process wrote, or after a second; at once if both are no pipes. Call before MPI_Abort: MPICH's mpiexec
/// ends as soon as it hears of the abort, and drops output that it has not read by then. Allocates nothing; a
/// signal handler may call it.
void wait_until_read() noexcept;

/// Not collective; call on all ranks of `comm`. Solvers on this communicator, or on a later duplicate of it,
/// then print nothing: other ranks do the same computation at the same time and print it.
void silence(MPI_Comm comm);

/// Not collective. Whether `silence` was called for `comm` or for the communicator that it duplicates.
[[nodiscard]] bool is_silent(MPI_Comm comm);

}  // namespace base
}  // namespace poise
