#include "poise/theory/row_slices.hpp"

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {

std::vector<Index> row_slices(const RowBlockMatrix& matrix) {
  int size = 0;
  check_mpi(MPI_Comm_size(matrix.comm(), &size));
  std::vector<Index> offsets(static_cast<std::size_t>(size) + 1, matrix.width());
  const Index begin = matrix.row_begin();
  check_mpi(MPI_Allgather(&begin, 1, MPI_INT64_T, offsets.data(), 1, MPI_INT64_T, matrix.comm()));
  return offsets;
}

void sum_over_ranks(MPI_Comm comm, std::vector<double>& values) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), mpi_count(static_cast<Index>(values.size())),
                          MPI_DOUBLE, MPI_SUM, comm));
}

}  // namespace poise
