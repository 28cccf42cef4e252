#include "poise/base/random.hpp"

#include <Random123/boxmuller.hpp>
#include <Random123/philox.h>
#include <Random123/uniform.hpp>

namespace poise {
inline namespace base {
namespace {

r123::Philox4x64::ctr_type bits(std::uint64_t seed, Stream stream, std::uint64_t i, std::uint64_t j,
                                std::uint64_t k = 0) {
  return r123::Philox4x64{}({{i, j, k, 0}}, {{seed, static_cast<std::uint64_t>(stream)}});
}

}  // namespace

double CounterRandom::normal(std::uint64_t i, std::uint64_t j) const {
  const auto r = bits(seed_, stream_, i, j);
  return r123::boxmuller(r[0], r[1]).x;
}

double CounterRandom::uniform(std::uint64_t i, std::uint64_t j, std::uint64_t k) const {
  return r123::u01<double>(bits(seed_, stream_, i, j, k)[0]);
}

}  // namespace base
}  // namespace poise
