#pragma once

#include <cstdint>

#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace base {

/// Random orders of n things: for every number of an order, a keyed bijection of [0, n). It is a pure
/// function of (seed, stream, order), the same on any number of ranks, and no rank holds a whole order. Not
/// collective.
class Permutation {
 public:
  /// `n` >= 1.
  Permutation(Index n, std::uint64_t seed, Stream stream);
  /// The place of a thing in an order.
  [[nodiscard]] Index place(Index order, Index thing) const;

 private:
  [[nodiscard]] std::uint64_t shuffled(std::uint64_t order, std::uint64_t value) const;

  Index n_;
  CounterRandom random_;
  unsigned half_bits_ = 1;  ///< n <= 4^half_bits
};

}  // namespace base
}  // namespace poise
