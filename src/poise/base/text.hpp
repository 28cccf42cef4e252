#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace poise {
inline namespace base {

/// Not collective. A number with at most `digits` significant digits, for people: 0.0123, 1.5e-09, inf, nan.
[[nodiscard]] std::string brief(double value, int digits);

/// Not collective. The words, with `separator` between them. (GCC 12 warns about fmt::join without reason.)
[[nodiscard]] std::string join(const std::vector<std::string>& words, const std::string& separator);
/// Not collective. The same with a different separator before the last word: "flow, descent and minimise".
[[nodiscard]] std::string join(const std::vector<std::string>& words, const std::string& separator,
                               const std::string& before_last);

/// The whole content of the file `path`. Throws bad_input, with the path and the system's reason, if the file
/// cannot be read completely or has more than `most` bytes. For one rank; does not communicate.
[[nodiscard]] std::string read_file(const std::string& path, std::size_t most);

}  // namespace base
}  // namespace poise
