#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Collective on the world. Samples of each class over all ranks; `labels`: of this rank's samples, the same
/// on the ranks of grid.feature().
[[nodiscard]] std::vector<Index> count_classes(const ProcessGrid& grid, Index classes,
                                               const std::vector<Index>& labels);

/// Not collective. The option -class_weight: `none` (or empty) gives nothing; `balanced` n/(C n_c), C the
/// classes that have samples, so that the weights of all samples sum to n and each class to n/C; else a
/// number for each class. `counts`: samples of each class, empty for a regression. Throws bad_input.
[[nodiscard]] std::vector<double> parse_class_weights(const std::string& text,
                                                      const std::vector<Index>& counts);

}  // namespace poise
