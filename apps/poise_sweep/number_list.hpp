#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"

namespace poise::sweep {

/// The text of option `name`, "0.1,0.5,0.9", as numbers in their order. Throws bad_input, which names the
/// option, if the list is empty, or an entry is no number, out of range or there twice. Not collective.
[[nodiscard]] std::vector<double> read_numbers(Options& options, const std::string& name,
                                               const std::string& initial, Bounds bounds,
                                               const std::string& help);
/// The same of whole numbers.
[[nodiscard]] std::vector<double> read_integers(Options& options, const std::string& name,
                                                const std::string& initial, Bounds bounds,
                                                const std::string& help);

}  // namespace poise::sweep
