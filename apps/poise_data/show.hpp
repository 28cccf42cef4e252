#pragma once

#include <string>

namespace poise::data {

/// What a data file holds, as text: name, source, licence, shapes, types, range and mean of the features,
/// constant columns, counts of the classes or range of the targets. Serial; reads the file block by block and
/// so checks every value. Throws bad_input as Dataset does.
[[nodiscard]] std::string show_dataset(const std::string& path);

}  // namespace poise::data
