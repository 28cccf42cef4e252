#include "poise/base/agree.hpp"

#include <new>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

struct Report {
  ExitCode code = ExitCode::failed;
  std::string message;
};

/// Ranks that work together; 0: all of the program.
int ranks_of_group = 0;

Report describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::failed, "out of memory: use more ranks or nodes, or fewer samples a rank"};
  } catch (const std::exception& e) {
    return {ExitCode::failed, e.what()};
  } catch (...) {
    return {ExitCode::failed, "unknown exception"};
  }
}

}  // namespace

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
  if (first > 0) message = "rank " + std::to_string(first) + ": " + message;
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

}  // namespace poise
