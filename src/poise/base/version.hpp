#pragma once

#include <string>

namespace poise {

/// "0.2.0"
[[nodiscard]] std::string version();
/// Commit that was built, with "-dirty" if files that the programs are made of were changed or new; "unknown"
/// where neither git nor an archive made by it tells.
[[nodiscard]] std::string git_commit();
/// "GNU 12.2.0", and the flags of this build.
[[nodiscard]] std::string compiler();
[[nodiscard]] std::string compiler_flags();

}  // namespace poise
