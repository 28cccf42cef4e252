#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// What is odd about the samples that classes have, each as a sentence with the likely question: classes
/// without a training sample, or in only one of training and test set. `test`: empty without a test set;
/// `names`: of the classes, empty if they have none. Not collective.
[[nodiscard]] std::vector<std::string> class_warnings(const std::vector<Index>& train,
                                                      const std::vector<Index>& test,
                                                      const std::vector<std::string>& names);

/// "3" or "3 (cat)".
[[nodiscard]] std::string class_text(Index number, const std::vector<std::string>& names);

}  // namespace poise
