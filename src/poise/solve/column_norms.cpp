#include "poise/solve/column_norms.hpp"

#include <cmath>

#include "poise/base/check.hpp"

namespace poise {

void column_norms(MPI_Comm comm, Index rows, Index p, const double* x, double* norms) {
  for (Index c = 0; c < p; ++c, x += rows) {
    // Four partial sums: a single one would wait for every addition.
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    Index i = 0;
    for (; i + 4 <= rows; i += 4)
      for (Index k = 0; k < 4; ++k) sums[k] += x[i + k] * x[i + k];
    for (; i < rows; ++i) sums[0] += x[i] * x[i];
    norms[c] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  if (size > 1) check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms, static_cast<int>(p), MPI_DOUBLE, MPI_SUM, comm));
  for (Index c = 0; c < p; ++c) norms[c] = std::sqrt(norms[c]);
}

}  // namespace poise
