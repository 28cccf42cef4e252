#include "poise/base/permutation.hpp"

#include <cmath>

namespace poise {
inline namespace base {
namespace {

/// Four rounds make a Feistel network a strong permutation of long words; short words need more.
constexpr std::uint64_t rounds = 8;

}  // namespace

Permutation::Permutation(Index n, std::uint64_t seed, Stream stream) : n_(n), random_(seed, stream) {
  while ((Index{1} << (2 * half_bits_)) < n) ++half_bits_;
}

/// A Feistel network on words of 2·half_bits_ bits: a bijection whatever its round function is.
std::uint64_t Permutation::shuffled(std::uint64_t order, std::uint64_t value) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & mask;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const double u = random_.uniform(order, (round << 32) | right);
    // The mask also covers a u that was rounded to 1.
    const auto bits = static_cast<std::uint64_t>(std::ldexp(u, static_cast<int>(half_bits_))) & mask;
    const std::uint64_t mixed = left ^ bits;
    left = right;
    right = mixed;
  }
  return (left << half_bits_) | right;
}

Index Permutation::place(Index order, Index thing) const {
  // Walk along the cycle of the larger bijection until it is back in [0, n): less than four steps on average.
  auto value = static_cast<std::uint64_t>(thing);
  do {
    value = shuffled(static_cast<std::uint64_t>(order), value);
  } while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<Index>(value);
}

}  // namespace base
}  // namespace poise
