#pragma once

#include <string>

namespace poise {

/// Not collective. A number with at most so many significant digits, for people: 0.0123, 1.5e-09, inf, nan.
[[nodiscard]] std::string brief(double value, int digits);

}  // namespace poise
