#include "poise/theory/rank_reductions.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace theory {

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

double largest_over_ranks(MPI_Comm comm, double value) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, comm));
  return value;
}

double largest_over_ranks(MPI_Comm comm, const std::vector<double>& values) {
  return largest_over_ranks(comm, values.empty() ? 0.0 : *std::max_element(values.begin(), values.end()));
}

double induced_one_norm(const ParameterLayout& layout, const double* w) {
  const Index rows = layout.slice().size();
  double largest = 0.0;
  for (Index k = 0; k < rows; ++k) {
    double sum = 0.0;
    for (Index c = 0; c < layout.outputs(); ++c) sum += std::abs(w[c * rows + k]);
    largest = std::max(largest, sum);
  }
  return largest_over_ranks(layout.grid().world(), largest);
}

double largest_entry(const ParameterLayout& layout, const double* w) {
  double largest = 0.0;
  for (Index e = 0; e < layout.slice().size() * layout.outputs(); ++e)
    largest = std::max(largest, std::abs(w[e]));
  return largest_over_ranks(layout.grid().world(), largest);
}

}  // namespace theory
}  // namespace poise
