#pragma once

#include <mpi.h>

#include <exception>
#include <functional>
#include <string>

namespace poise {

/// Collective. Every rank of `comm` passes the error it met, or nullptr. If any rank met one, all ranks throw
/// the same Error (that of the lowest failing rank, which is named), so that no rank is left waiting in a
/// later collective. The Error is collective if `comm` holds all ranks of the program, or of the GroupScope.
void agree(MPI_Comm comm, const std::exception_ptr& error);

/// Collective. Runs `body` on every rank; where it throws on one rank, every rank throws the same Error.
/// `body` must not communicate on `comm`, else the ranks that did not fail would wait inside it.
void agree(MPI_Comm comm, const std::function<void()>& body);

/// Collective. Runs `body` on rank 0 alone; if it throws, every rank throws the same Error.
void on_root(MPI_Comm comm, const std::function<void()>& body);

/// While it lives, the ranks of `comm` work apart from the others, and what all of them know is known to all
/// whom it concerns. Not collective.
class GroupScope {
 public:
  explicit GroupScope(MPI_Comm comm);
  ~GroupScope();
  GroupScope(const GroupScope&) = delete;
  GroupScope& operator=(const GroupScope&) = delete;

 private:
  int before_;
};

/// Prints the error that this rank met alone, with its rank, and ends the program on all ranks, which would
/// wait for this one. Not collective. The exit code is the error's, or that of a failure.
[[noreturn]] void abort_world(const std::exception_ptr& error) noexcept;

/// Collective. The text of rank `root` on every rank.
[[nodiscard]] std::string broadcast(MPI_Comm comm, std::string text, int root = 0);

}  // namespace poise
