// Compiled with -ffast-math (see CMakeLists.txt): only then does GCC call the vectorised exponential,
// 4 to 8 numbers at a time within 4 units in the last place. NaN still goes through arithmetic, nothing here
// tests for it.
#include "poise/model/softmax.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "poise/base/check.hpp"

namespace poise {

void column_softmax(MPI_Comm comm, Index rows, Index m, const double* a, Index stride_a, double* s) {
  // The lowest double instead of -inf: infinities are outside what this file may assume.
  std::vector<double> shift(static_cast<std::size_t>(m), std::numeric_limits<double>::lowest());
  for (Index i = 0; i < rows; ++i) {
    const double* row = a + i * stride_a;
    for (Index j = 0; j < m; ++j) shift[j] = row[j] > shift[j] ? row[j] : shift[j];
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, shift.data(), static_cast<int>(m), MPI_DOUBLE, MPI_MAX, comm));

  std::vector<double> sums(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < rows; ++i) {
    const double* row = a + i * stride_a;
    double* out = s + i * m;
    for (Index j = 0; j < m; ++j) out[j] = std::exp(row[j] - shift[j]);
    for (Index j = 0; j < m; ++j) sums[j] += out[j];
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM, comm));

  for (double& sum : sums) sum = 1.0 / sum;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) s[i * m + j] *= sums[j];
}

void column_softmax_pullback(MPI_Comm comm, Index rows, Index m, const double* s, const double* k,
                             Index stride_k, double* out, Index stride_out) {
  std::vector<double> sums(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) sums[j] += s[i * m + j] * k[i * stride_k + j];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM, comm));
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) out[i * stride_out + j] = s[i * m + j] * (k[i * stride_k + j] - sums[j]);
}

}  // namespace poise
