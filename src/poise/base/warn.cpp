#include "poise/base/warn.hpp"

#include <cstdio>

#include "poise/base/check.hpp"

namespace poise {

void warn(const std::string& message) {
  std::fprintf(stderr, "poise: warning: %s\n", message.c_str());
}

void warn(MPI_Comm comm, const std::string& message) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank == 0) warn(message);
}

}  // namespace poise
