#include "poise/model/affine_features.hpp"

#include <fmt/format.h>

#include "poise/base/error.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace model {
namespace {

/// A scale must lie between the reciprocal of this number and this number.
constexpr double largest_scale = 1e290;

}  // namespace

void apply_transform(const Features& features, Index count, const double* x, double* phi) {
  const Index d = features.inputs(), height = features.rows().size();
  const std::vector<double>& transform = features.block("transform");
  for_centred_panels(features.mean(), count, x, [&](Index first, Index columns, const double* centred) {
    gemm('T', 'N', height, columns, d, 1.0, transform.data(), d, centred, d, 0.0, phi + first * height,
         height);
  });
}

std::vector<double> input_scales(const ColumnStatistics& inputs, bool standardise) {
  std::vector<double> scale = inputs.deviation;
  const double largest = *std::max_element(scale.begin(), scale.end());
  for (std::size_t j = 0; j < scale.size(); ++j) {
    if (!inputs.varies(static_cast<Index>(j))) continue;
    if (!standardise) scale[j] = largest;
    if (scale[j] < 1.0 / largest_scale || scale[j] > largest_scale)
      throw Error(
          ExitCode::bad_input,
          fmt::format("input {} varies by {}, too {} to be scaled to 1; give the input in another unit", j,
                      to_text(scale[j]), scale[j] > 1.0 ? "much" : "little"),
          true);
  }
  return scale;
}

}  // namespace model
}  // namespace poise
