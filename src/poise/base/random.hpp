#pragma once

#include <cstddef>
#include <cstdint>

namespace poise {
inline namespace base {

/// The purpose of a random number; different streams of one seed are independent.
enum class Stream : std::uint32_t {
  weights_a = 1,
  weights_b = 2,
  features = 3,
  feature_phases = 4,
  synthetic_inputs = 5,
  synthetic_teacher = 6,
  synthetic_noise = 7,
  eigenvector = 8,
  test_direction = 9,
  test_split = 20,
  minibatch = 21,
  probe = 22,
  validation_split = 23,
  graph_edges = 24,
  graph_order = 25,
  graph_split = 26,
  graph_features = 27,
  graph_labels = 28,
  dropped_features = 29,
  dropped_states = 30,
  weights_more = 64,  // and all numbers above: see more_weights
};

/// The stream of parameter block k of a model.
[[nodiscard]] constexpr Stream more_weights(std::size_t k) {
  return static_cast<Stream>(static_cast<std::uint32_t>(Stream::weights_more) +
                             static_cast<std::uint32_t>(k));
}

/// Counter-based random numbers (Random123 Philox4x64-10): a pure function of (seed, stream, i, j, k), so
/// that entry (i, j, k) is the same on any number of ranks and in any order. Not collective.
class CounterRandom {
 public:
  CounterRandom(std::uint64_t seed, Stream stream) : seed_(seed), stream_(stream) {}
  /// Standard normal (Box-Muller).
  [[nodiscard]] double normal(std::uint64_t i, std::uint64_t j = 0) const;
  /// Uniform in (0, 1).
  [[nodiscard]] double uniform(std::uint64_t i, std::uint64_t j = 0, std::uint64_t k = 0) const;

 private:
  std::uint64_t seed_;
  Stream stream_;
};

}  // namespace base
}  // namespace poise
