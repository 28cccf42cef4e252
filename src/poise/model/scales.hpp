#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace model {

/// Mean and spread of each component of the samples (inputs or targets), to full relative accuracy for any
/// size and offset. The sums are over distances from the smallest value, and over squares of distances
/// divided by the range, so that nothing cancels, overflows or underflows.
struct ColumnStatistics {
  std::vector<double> mean;
  std::vector<double> deviation;  ///< √(mean of (x − mean)²); 0 if the column is constant
  std::vector<double> low, high;

  /// Whether a column varies by more than the rounding of its values.
  [[nodiscard]] bool varies(Index column) const { return deviation[static_cast<std::size_t>(column)] > 0.0; }
  [[nodiscard]] Index columns() const { return static_cast<Index>(mean.size()); }
};

/// Collective on the world. The statistics of all samples. `x`: the `count` samples of this rank, columns x
/// count, column-major, one column per sample; the ranks of grid.feature() hold the same samples. Throws
/// bad_input on all ranks if the range of a component exceeds the largest double.
[[nodiscard]] ColumnStatistics column_statistics(const ProcessGrid& grid, Index columns, Index count,
                                                 const double* x);

/// The scale on which regression targets are fitted: y = shift + scale y', so that a prediction is shift +
/// scale f. All outputs have the same scale, √(mean variance). So the squared loss of the data is scale²
/// times the squared loss of the scaled problem, and every output keeps its weight in the loss. Step sizes,
/// tolerances and times then do not depend on the unit of the targets.
struct TargetScale {
  std::vector<double> shift;  ///< q numbers; empty if targets are not shifted or scaled
  double scale = 1.0;

  /// Collective on the world. `y`: the targets of the `count` samples of this rank, outputs x count; the
  /// ranks of grid.feature() hold the same samples. `centre`: whether to shift by the means of the outputs,
  /// which does not change the problem if the features have a constant component; if false, the shift is 0
  /// and the scale is the root mean square. Throws bad_input if the square of the scale overflows or
  /// underflows.
  static TargetScale fit(const ProcessGrid& grid, Index outputs, Index count, const double* y, bool centre);

  [[nodiscard]] bool is_set() const { return !shift.empty(); }
  /// The loss of the data divided by the loss of the scaled problem.
  [[nodiscard]] double loss_unit() const { return scale * scale; }
  /// Not collective. y (outputs x count) becomes (y − shift)/scale.
  void apply(std::vector<double>& y) const;
};

}  // namespace model
}  // namespace poise
