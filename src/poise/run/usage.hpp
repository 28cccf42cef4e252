#pragma once

#include <string>

#include "poise/base/error.hpp"

namespace poise {
inline namespace run {

/// A bad_input error that every rank throws, because all ranks have the same options.
[[nodiscard]] inline Error usage(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

}  // namespace run
}  // namespace poise
