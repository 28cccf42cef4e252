#pragma once

#include <petscsys.h>

#include <exception>
#include <utility>

namespace poise {
inline namespace base {

/// Throws if a PETSc, SLEPc or TAO call failed, with PETSc's own stack trace in the message. If the failure
/// began as an exception in one of our callbacks (see `guarded`), that exception is rethrown instead. A value
/// that a solver's SetFromOptions refuses is bad_input; everything else is failure. For use outside
/// callbacks.
void check(PetscErrorCode code);

/// Throws if an MPI call failed.
void check_mpi(int code);

/// Makes PETSc's error messages part of the exception of `check` instead of printing them. Called once by
/// Session.
void install_error_handler();

namespace detail {
void store_pending_exception(std::exception_ptr exception) noexcept;
}

/// Runs the C++ body of a C callback: no exception may cross a C frame. The exception is stored, and the
/// `check` around the PETSc call that called back rethrows it.
template <class Body>
PetscErrorCode guarded(Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
    return 0;
  } catch (...) {
    detail::store_pending_exception(std::current_exception());
    return PETSC_ERR_USER;
  }
}

}  // namespace base
}  // namespace poise
