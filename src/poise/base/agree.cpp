#include "poise/base/agree.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <new>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

namespace poise {
inline namespace base {
namespace {

constexpr const char* out_of_memory = "out of memory: use more ranks or nodes, or fewer samples per rank";

struct Report {
  ExitCode code = ExitCode::failed;
  std::string message;
};

/// Number of ranks that work together; 0: all ranks of the program.
int ranks_of_group = 0;

Report describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::failed, out_of_memory};
  } catch (const std::exception& e) {
    return {ExitCode::failed, e.what()};
  } catch (...) {
    return {ExitCode::failed, "unknown exception"};
  }
}

}  // namespace

void abort_world(const std::exception_ptr& error) noexcept {
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int code = static_cast<int>(ExitCode::failed);
  const auto print = [&](const char* message) { print_error(message, size > 1 ? rank : -1); };
  try {
    if (error) std::rethrow_exception(error);
    print("the program was terminated");
  } catch (const Error& e) {
    code = static_cast<int>(e.code());
    print(e.what());
  } catch (const std::bad_alloc&) {
    print(out_of_memory);
  } catch (const std::exception& e) {
    print(e.what());
  } catch (...) {
    print("unknown exception");
  }
  wait_until_read();
  MPI_Abort(MPI_COMM_WORLD, code);
  std::abort();  // never reached
}

std::string broadcast(MPI_Comm comm, std::string text, int root) {
  auto length = static_cast<int>(text.size());
  check_mpi(MPI_Bcast(&length, 1, MPI_INT, root, comm));
  text.resize(static_cast<std::size_t>(length));
  check_mpi(MPI_Bcast(text.data(), length, MPI_CHAR, root, comm));
  return text;
}

void agree(MPI_Comm comm, const std::exception_ptr& error) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  int first = error ? rank : size;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) return;

  Report report;
  if (rank == first) report = describe(error);
  int code = static_cast<int>(report.code);
  check_mpi(MPI_Bcast(&code, 1, MPI_INT, first, comm));
  std::string message = broadcast(comm, report.message, first);
  if (first > 0) message = fmt::format("rank {}: {}", first, message);
  int all = ranks_of_group;
  if (all == 0) MPI_Comm_size(MPI_COMM_WORLD, &all);
  throw Error(static_cast<ExitCode>(code), message, size == all);
}

GroupScope::GroupScope(MPI_Comm comm) : before_(ranks_of_group) {
  check_mpi(MPI_Comm_size(comm, &ranks_of_group));
}

GroupScope::~GroupScope() {
  ranks_of_group = before_;
}

void agree(MPI_Comm comm, const std::function<void()>& body) {
  std::exception_ptr error;
  try {
    body();
  } catch (...) {
    error = std::current_exception();
  }
  agree(comm, error);
}

void on_root(MPI_Comm comm, const std::function<void()>& body) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  agree(comm, [&] {
    if (rank == 0) body();
  });
}

}  // namespace base
}  // namespace poise
