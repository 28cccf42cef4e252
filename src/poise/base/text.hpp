#pragma once

#include <cstddef>
#include <string>

namespace poise {

/// Not collective. A number with at most so many significant digits, for people: 0.0123, 1.5e-09, inf, nan.
[[nodiscard]] std::string brief(double value, int digits);

/// The whole content of the file `path`. Throws bad_input, with the path and the system's reason, if any of
/// it cannot be read or if it has more than `most` bytes. For one rank: nothing is communicated.
[[nodiscard]] std::string read_file(const std::string& path, std::size_t most);

}  // namespace poise
