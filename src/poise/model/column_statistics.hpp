#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Mean and spread of each column of numbers (inputs or targets) over the training samples, to full relative
/// accuracy for any size and offset: sums are taken of distances from the smallest value, squares of these
/// over the range, so nothing cancels, overflows or vanishes.
struct ColumnStatistics {
  std::vector<double> mean;
  std::vector<double> deviation;  ///< √(mean of (x − mean)²); 0 where a column is constant
  std::vector<double> low, high;

  /// Whether a column varies, beyond the rounding of its own values.
  [[nodiscard]] bool varies(Index column) const { return deviation[static_cast<std::size_t>(column)] > 0.0; }
  [[nodiscard]] Index columns() const { return static_cast<Index>(mean.size()); }
};

/// Collective on the world. Of the `count` samples of this rank, `x` (columns x count, column-major: one
/// column a sample); the ranks of grid.feature() hold the same ones. Throws failure, on all ranks, where the
/// range of a column exceeds the largest double.
[[nodiscard]] ColumnStatistics column_statistics(const ProcessGrid& grid, Index columns, Index count,
                                                 const double* x);

}  // namespace poise
