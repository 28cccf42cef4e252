#pragma once

#include <ctime>
#include <string>

namespace poise {

/// The time now, in UTC, as std::strftime formats it.
[[nodiscard]] inline std::string date(const char* format) {
  const std::time_t now = std::time(nullptr);
  char text[64];
  std::strftime(text, sizeof text, format, std::gmtime(&now));
  return text;
}

}  // namespace poise
