#pragma once

#include <string>

namespace poise {

/// "0.1.0"
[[nodiscard]] std::string version();
/// Commit the build was configured from, with "-dirty" if files were changed; "unknown" outside a checkout.
[[nodiscard]] std::string git_commit();

}  // namespace poise
