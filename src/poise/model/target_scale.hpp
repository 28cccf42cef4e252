#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// The scale on which regression targets are fitted: y = shift + scale y', so that a prediction is shift +
/// scale f. One scale for all outputs, √(mean variance): a squared loss of the data is scale² times that of
/// the scaled problem, the same function of W up to this factor, and every output keeps its weight in it.
/// With the scale, step sizes, tolerances and times do not depend on the unit of the targets.
struct TargetScale {
  std::vector<double> shift;  ///< q; empty: nothing is shifted or scaled
  double scale = 1.0;

  /// Collective on the world. Of the `count` samples of this rank, `y` outputs x count; the ranks of
  /// grid.feature() hold the same ones. `centre`: by the means of the outputs, which is no other problem
  /// where the features have a constant one; else the shift is 0 and the scale the root mean square. Throws
  /// bad_input where the square of the scale is no number.
  static TargetScale fit(const ProcessGrid& grid, Index outputs, Index count, const double* y, bool centre);

  [[nodiscard]] bool is_set() const { return !shift.empty(); }
  /// Losses of the data over those of the scaled problem.
  [[nodiscard]] double loss_unit() const { return scale * scale; }
  /// Not collective. y (outputs x count) becomes (y − shift)/scale.
  void apply(std::vector<double>& y) const;
};

}  // namespace poise
