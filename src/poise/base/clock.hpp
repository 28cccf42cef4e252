#pragma once

#include <chrono>

namespace poise {

/// Seconds since some moment, never decreasing: neither a corrected time of day nor an MPI whose clock is
/// that of the day can stop a schedule or a deadline. Other on every rank.
[[nodiscard]] inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace poise
