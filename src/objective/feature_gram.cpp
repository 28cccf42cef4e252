#include "poise/objective/feature_gram.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
namespace {

/// Numbers in a panel of Φ, so that it is still in cache for its second use.
constexpr Index panel_budget = 1 << 18;

/// scaled = φ diag(ω) of a panel of `columns` samples from `first` on.
const double* weighted(const double* phi, Index rows, Index first, Index columns,
                       const std::vector<double>* weights, std::vector<double>& scaled) {
  if (weights == nullptr) return phi;
  scaled.assign(phi, phi + rows * columns);
  for (Index i = 0; i < columns; ++i)
    for (Index k = 0; k < rows; ++k) scaled[i * rows + k] *= (*weights)[first + i];
  return scaled.data();
}

double largest_on_ranks(MPI_Comm comm, const std::vector<double>& values) {
  double largest = values.empty() ? 0.0 : *std::max_element(values.begin(), values.end());
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, comm));
  return largest;
}

}  // namespace

RowBlockMatrix feature_gram(const ParameterLayout& layout, const SampleSet& samples,
                            const std::vector<double>* weights) {
  const ProcessGrid& grid = layout.grid();
  const Index rows = layout.block().size();
  RowBlockMatrix block(grid.feature(), layout.block_offsets());
  // The ranks of grid.feature() have the same samples, hence the same panels.
  const Index panel = std::clamp<Index>(panel_budget / std::max<Index>(layout.width(), 1), 64, 4096);
  std::vector<double> scaled;
  for (Index first = 0; first < samples.count; first += panel) {
    const Index columns = std::min(panel, samples.count - first);
    const double* phi = samples.features.data() + first * rows;
    block.add_outer_product(columns, phi, weighted(phi, rows, first, columns, weights, scaled));
  }
  RowBlockMatrix gram(grid.world(), layout.slice_offsets());
  layout.reduce_block(block.rows(), layout.width(), gram.rows());
  return gram;
}

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
