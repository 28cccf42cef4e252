#pragma once

#include <string>

namespace poise {
inline namespace base {

/// "0.2.0"
[[nodiscard]] std::string version();
/// The commit that was built, with "-dirty" if source files were changed or added; "unknown" if the source is
/// neither a git repository nor an archive that git made.
[[nodiscard]] std::string git_commit();
/// The compiler ("GNU 12.2.0") and its flags in this build.
[[nodiscard]] std::string compiler();
[[nodiscard]] std::string compiler_flags();

}  // namespace base
}  // namespace poise
