#include "poise/objective/feature_norms.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
namespace {

double largest_on_ranks(MPI_Comm comm, const std::vector<double>& values) {
  double largest = values.empty() ? 0.0 : *std::max_element(values.begin(), values.end());
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, comm));
  return largest;
}

}  // namespace

FeatureNorms feature_norms(const ParameterLayout& layout, const SampleSet& samples) {
  const ProcessGrid& grid = layout.grid();
  const Index rows = layout.block().size();
  const Index n = samples.count;
  std::vector<double> sums(static_cast<std::size_t>(2 * n));
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < rows; ++k) {
      const double entry = samples.features[i * rows + k];
      sums[i] += std::abs(entry);
      sums[n + i] += entry * entry;
    }
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), mpi_count(2 * n), MPI_DOUBLE, MPI_SUM, grid.feature()));
  FeatureNorms norms{{sums.begin(), sums.begin() + n}, {sums.begin() + n, sums.end()}};
  for (double& value : norms.two) value = std::sqrt(value);
  norms.largest_one = largest_on_ranks(grid.world(), norms.one);
  norms.largest_two = largest_on_ranks(grid.world(), norms.two);
  return norms;
}

}  // namespace poise
