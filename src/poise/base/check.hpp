#pragma once

#include <petscsys.h>

#include <exception>
#include <utility>

namespace poise {

/// Throws if a PETSc, SLEPc or TAO call failed, with PETSc's own stack trace in the message; if the failure
/// began as an exception in one of our callbacks (see `guarded`), that exception is rethrown instead. A value
/// that a solver's SetFromOptions refuses is bad_input, everything else failure. For use outside callbacks.
void check(PetscErrorCode code);

/// Throws if an MPI call failed.
void check_mpi(int code);

/// Sends PETSc's error messages into the exception of `check` instead of onto the terminal. Called once by
/// Session.
void install_error_handler();

namespace detail {
void store_pending_exception(std::exception_ptr exception) noexcept;
}

/// Runs the C++ body of a C callback: no exception ever crosses a C frame. The exception is kept and rethrown
/// by the `check` around the PETSc call that led here.
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

}  // namespace poise
