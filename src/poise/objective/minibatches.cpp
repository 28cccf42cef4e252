#include "poise/objective/minibatches.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace objective {
namespace {

/// Four rounds make a Feistel network a strong permutation of long words; short words need more.
constexpr std::uint64_t rounds = 8;

}  // namespace

Minibatches::Minibatches(const ProcessGrid& grid, Index n, Index batch, std::uint64_t seed,
                         bool keep_remainder)
    : own_(grid.samples(n)), n_(n), batch_(batch), seed_(seed), keep_remainder_(keep_remainder) {
  if (batch < 1 || batch > n)
    throw Error(ExitCode::bad_input,
                fmt::format("option -batch {}: a batch has at least 1 and at most n = {} samples", batch, n),
                true);
  while ((Index{1} << (2 * half_bits_)) < n) ++half_bits_;
}

/// A Feistel network on words of 2·half_bits_ bits: a bijection whatever its round function is.
std::uint64_t Minibatches::shuffled(std::uint64_t epoch, std::uint64_t value) const {
  const CounterRandom random(seed_, Stream::minibatch);
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = value >> half_bits_;
  std::uint64_t right = value & mask;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const double u = random.uniform(epoch, (round << 32) | right);
    // The mask also covers a u that was rounded to 1.
    const auto bits = static_cast<std::uint64_t>(std::ldexp(u, static_cast<int>(half_bits_))) & mask;
    const std::uint64_t mixed = left ^ bits;
    left = right;
    right = mixed;
  }
  return (left << half_bits_) | right;
}

Index Minibatches::place(Index epoch, Index sample) const {
  // Walk along the cycle of the larger bijection until it is back in [0, n): less than four steps on average.
  auto value = static_cast<std::uint64_t>(sample);
  do {
    value = shuffled(static_cast<std::uint64_t>(epoch), value);
  } while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<Index>(value);
}

void Minibatches::sort_epoch(Index epoch) const {
  if (epoch == cached_epoch_) return;
  members_.clear();
  for (Index i = own_.begin; i < own_.end; ++i) {
    const Index batch = place(epoch, i) / batch_;
    if (batch < batches_per_epoch()) members_.push_back({batch, i - own_.begin});
  }
  std::sort(members_.begin(), members_.end());
  cached_epoch_ = epoch;
}

Batch Minibatches::at(Index step) const {
  sort_epoch(epoch(step));
  const Index batch = step % batches_per_epoch();
  const auto first = std::lower_bound(members_.begin(), members_.end(), Member{batch, 0});
  const bool is_rest = batch == n_ / batch_;
  Batch result{false, is_rest ? remainder() : batch_, {}};
  for (auto member = first; member != members_.end() && member->batch == batch; ++member)
    result.local.push_back(member->sample);
  return result;
}

}  // namespace objective
}  // namespace poise
