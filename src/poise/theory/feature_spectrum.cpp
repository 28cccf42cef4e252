#include "poise/theory/feature_spectrum.hpp"

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/triangular_factor.hpp"
#include "poise/theory/feature_svd.hpp"

namespace poise {

FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width, const SampleSet& samples) {
  // Features are split over the ranks as the rows of any matrix of their number are.
  const ParameterLayout layout(grid, width, 1);
  const FeatureSvd svd(feature_factor(layout, samples));
  return {.largest = svd.largest(),
          .smallest = svd.smallest(),
          .cut = svd.cut(),
          .rank = svd.rank(),
          .width = width};
}

}  // namespace poise
