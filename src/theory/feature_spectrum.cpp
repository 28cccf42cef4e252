#include "poise/theory/feature_spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/theory/least_squares_reference.hpp"

namespace poise {
namespace {

/// Samples of one outer product: what is gathered at once.
constexpr Index gathered = Index{1} << 18;

}  // namespace

FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width, const SampleSet& samples) {
  // Features are split over the ranks as the rows of any matrix of their number are.
  const ParameterLayout layout(grid, width, 1);
  const Index rows = layout.block().size();
  RowBlockMatrix block(grid.feature(), layout.block_offsets());
  const Index panel = std::max<Index>(1, gathered / width);
  for (Index first = 0; first < samples.count; first += panel) {
    const double* phi = samples.features.data() + first * rows;
    block.add_outer_product(std::min(panel, samples.count - first), phi, phi);
  }
  RowBlockMatrix gram(grid.world(), layout.slice_offsets());
  layout.reduce_block(block.rows(), width, gram.rows());
  const std::vector<double> none(static_cast<std::size_t>(gram.local_rows()), 0.0);
  // What rounding leaves of a zero eigenvalue of ΦΦᵀ.
  const double cut = 16.0 * static_cast<double>(width) * std::numeric_limits<double>::epsilon();
  const LeastSquaresReference decomposed(gram, none.data(), 1, 0.0, 1.0, cut);
  return {.largest = std::sqrt(decomposed.largest()),
          .smallest = std::sqrt(decomposed.smallest()),
          .cut = std::sqrt(cut * decomposed.largest()),
          .rank = decomposed.rank(),
          .width = width};
}

}  // namespace poise
