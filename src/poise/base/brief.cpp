#include "poise/base/brief.hpp"

#include <fmt/format.h>

namespace poise {

std::string brief(double value, int digits) {
  return fmt::format("{:.{}g}", value, digits);
}

}  // namespace poise
