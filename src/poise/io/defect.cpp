#include "poise/io/defect.hpp"

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
inline namespace io {

void throw_first(MPI_Comm comm, const Defect& defect) {
  Index row = defect.row;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &row, 1, MPI_INT64_T, MPI_MIN, comm));
  if (row == Defect::none) return;
  int owner = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &owner));
  check_mpi(MPI_Comm_size(comm, &size));
  if (defect.row != row) owner = size;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &owner, 1, MPI_INT, MPI_MIN, comm));
  const std::string message = broadcast(comm, defect.message, owner);
  agree(comm, [&] { throw bad_input(message); });  // rank 0 throws, too, so the message names no rank
}

}  // namespace io
}  // namespace poise
