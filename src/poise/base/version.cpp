#include "poise/base/version.hpp"

#include "build_info.hpp"

namespace poise {

std::string version() {
  return POISE_VERSION;
}
std::string git_commit() {
  return POISE_GIT;
}
std::string compiler() {
  return POISE_COMPILER;
}
std::string compiler_flags() {
  return POISE_FLAGS;
}

}  // namespace poise
