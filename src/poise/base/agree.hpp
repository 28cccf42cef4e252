#pragma once

#include <mpi.h>

#include <exception>
#include <functional>
#include <string>

namespace poise {
inline namespace base {

/// Collective. Every rank of `comm` passes its error, or nullptr. If any rank has an error, all ranks throw
/// the Error of the lowest such rank, with its rank in the message, so that no rank is left waiting in a
/// later collective call. The Error is collective if `comm` holds all ranks of the program, or of the
/// GroupScope.
void agree(MPI_Comm comm, const std::exception_ptr& error);

/// Collective. Runs `body` on every rank; if it throws on one rank, every rank throws the same Error. `body`
/// must not communicate on `comm`, else the ranks that did not fail would wait inside it.
void agree(MPI_Comm comm, const std::function<void()>& body);

/// Collective. Runs `body` on rank 0 only; if it throws, every rank throws the same Error.
void on_root(MPI_Comm comm, const std::function<void()>& body);

/// While it lives, the ranks of `comm` work separately from the other ranks: an Error that all of them throw
/// is collective. Not collective.
class GroupScope {
 public:
  explicit GroupScope(MPI_Comm comm);
  ~GroupScope();
  GroupScope(const GroupScope&) = delete;
  GroupScope& operator=(const GroupScope&) = delete;

 private:
  int before_;
};

/// Prints an error that only this rank has, with its rank, and ends the program on all ranks, because the
/// others would wait for this rank. Not collective. The exit code is the error's code, or 1 for a foreign
/// exception.
[[noreturn]] void abort_world(const std::exception_ptr& error) noexcept;

/// Collective. Returns the text of rank `root` on every rank.
[[nodiscard]] std::string broadcast(MPI_Comm comm, std::string text, int root = 0);

}  // namespace base
}  // namespace poise
