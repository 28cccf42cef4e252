#pragma once

#include <string>

#include "poise/base/error.hpp"

namespace poise {
inline namespace run {

/// Bad usage that every rank finds alike, options being the same on all of them.
[[nodiscard]] inline Error usage(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

}  // namespace run
}  // namespace poise
