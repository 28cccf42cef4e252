#pragma once

#include <chrono>
#include <ctime>
#include <string>

namespace poise {
inline namespace base {

/// Seconds since some fixed moment, never decreasing: corrections of the time of day (which MPI_Wtime may
/// return) cannot disturb a schedule or a deadline. Differs between ranks.
[[nodiscard]] inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The present time in UTC, formatted by std::strftime.
[[nodiscard]] inline std::string date(const char* format) {
  const std::time_t now = std::time(nullptr);
  char text[64];
  std::strftime(text, sizeof text, format, std::gmtime(&now));
  return text;
}

}  // namespace base
}  // namespace poise
