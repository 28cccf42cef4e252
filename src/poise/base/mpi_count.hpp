#pragma once

#include <limits>
#include <string>

#include "poise/base/error.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// `count` as an int for MPI. Throws failure if it exceeds 2^31 - 1, because a narrowed count would send
/// wrong data.
[[nodiscard]] inline int mpi_count(Index count) {
  if (count > std::numeric_limits<int>::max())
    throw failure(
        "a message has " + std::to_string(count) +
        " entries, more than MPI can count: use more ranks, fewer features, or a smaller -eq_panel");
  return static_cast<int>(count);
}

}  // namespace base
}  // namespace poise
