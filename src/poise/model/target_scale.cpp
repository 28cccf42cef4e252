#include "poise/model/target_scale.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/model/column_statistics.hpp"

namespace poise {
namespace {

/// The square of a scale beyond it, or of one below its reciprocal, is no number that a loss can be made of.
constexpr double largest_scale = 1e150;

}  // namespace

TargetScale TargetScale::fit(const ProcessGrid& grid, Index outputs, Index count, const double* y,
                             bool centre) {
  const ColumnStatistics s = column_statistics(grid, outputs, count, y);
  TargetScale result{std::vector<double>(static_cast<std::size_t>(outputs), 0.0), 1.0};
  double largest = 0.0;
  std::vector<double> size(result.shift.size());
  for (std::size_t c = 0; c < size.size(); ++c) {
    size[c] = centre ? s.deviation[c] : std::hypot(s.deviation[c], s.mean[c]);
    if (centre) result.shift[c] = s.mean[c];
    largest = std::max(largest, size[c]);
  }
  if (largest == 0.0) return result;  // constant targets, or zeros: any scale will do
  double mean_square = 0.0;
  for (const double entry : size)
    mean_square += (entry / largest) * (entry / largest) / static_cast<double>(outputs);
  result.scale = largest * std::sqrt(mean_square);
  if (result.scale > largest_scale || result.scale < 1.0 / largest_scale)
    throw Error(ExitCode::bad_input,
                "the targets vary by " + to_text(result.scale) +
                    ", whose square is no number that a loss can be made of; give them in another unit",
                true);
  return result;
}

void TargetScale::apply(std::vector<double>& y) const {
  if (!is_set()) return;
  const std::size_t q = shift.size();
  for (std::size_t e = 0; e < y.size(); ++e) y[e] = (y[e] - shift[e % q]) / scale;
}

}  // namespace poise
