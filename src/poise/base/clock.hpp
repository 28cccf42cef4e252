#pragma once

#include <chrono>
#include <ctime>
#include <string>

namespace poise {

/// Seconds since some moment, never decreasing: neither a corrected time of day nor an MPI whose clock is
/// that of the day can stop a schedule or a deadline. Other on every rank.
[[nodiscard]] inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The time now, in UTC, as std::strftime formats it.
[[nodiscard]] inline std::string date(const char* format) {
  const std::time_t now = std::time(nullptr);
  char text[64];
  std::strftime(text, sizeof text, format, std::gmtime(&now));
  return text;
}

}  // namespace poise
