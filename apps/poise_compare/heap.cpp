#include "poise_compare/heap.hpp"

#include <malloc.h>

#include <limits>

namespace poise::compare {

double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  const double bytes = static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
  return bytes > 0.0 ? bytes : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace poise::compare
