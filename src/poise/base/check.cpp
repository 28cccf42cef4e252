#include "poise/base/check.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <string>
#include <string_view>
#include <utility>

#include "poise/base/error.hpp"

namespace poise {
inline namespace base {
namespace {

std::exception_ptr pending_exception;
std::string petsc_trace;
bool failed_in_options = false;  // whether the error of petsc_trace occurred while PETSc read options

/// Whether PETSc reads options in this function: an error there is about the user's value.
bool reads_options(std::string_view function) {
  return function.starts_with("PetscOptions") || function.find("FromOptions") != std::string_view::npos;
}

PetscErrorCode record_error(MPI_Comm, int line, const char* function, const char* file, PetscErrorCode code,
                            PetscErrorType type, const char* message, void*) noexcept {
  try {
    if (type == PETSC_ERROR_INITIAL) {
      petsc_trace.clear();
      failed_in_options = false;
    }
    failed_in_options = failed_in_options || reads_options(function);
    if (message != nullptr && *message != '\0') petsc_trace += std::string(message) + "\n";
    petsc_trace += fmt::format("  in {} ({}:{})\n", function, file, line);
  } catch (...) {  // out of memory: the error code must suffice
  }
  return code;
}

}  // namespace

void detail::store_pending_exception(std::exception_ptr exception) noexcept {
  if (!pending_exception) pending_exception = std::move(exception);
}

void install_error_handler() {
  PetscPushErrorHandler(record_error, nullptr);
}

void check(PetscErrorCode code) {
  if (code == 0) [[likely]]
    return;
  if (pending_exception) std::rethrow_exception(std::exchange(pending_exception, nullptr));
  const char* text = nullptr;
  PetscErrorMessage(code, &text, nullptr);
  const std::string trace = std::exchange(petsc_trace, {});
  if (std::exchange(failed_in_options, false))  // every rank reads the same options
    throw Error(ExitCode::bad_input,
                "a solver refuses an option: " + trace.substr(0, trace.find('\n')) +
                    " (-help petsc lists the options of solvers and what they take)",
                true);
  throw failure(fmt::format("PETSc error {}{}: {}", static_cast<int>(code),
                            text != nullptr ? fmt::format(" ({})", text) : "", trace));
}

void check_mpi(int code) {
  if (code == MPI_SUCCESS) [[likely]]
    return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw failure("MPI error: " + std::string(text, static_cast<std::size_t>(length)));
}

}  // namespace base
}  // namespace poise
