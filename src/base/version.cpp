#include "poise/base/version.hpp"

namespace poise {

std::string version() {
  return POISE_VERSION;
}
std::string git_commit() {
  return POISE_GIT;
}

}  // namespace poise
