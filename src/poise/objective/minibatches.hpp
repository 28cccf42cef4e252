#pragma once

#include <cstdint>
#include <vector>

#include "poise/objective/objective.hpp"

namespace poise {

/// The minibatches of a run: in each epoch the n training samples are put in a new random order, and batch k
/// of the epoch is the samples at the places [k·b, (k+1)·b). Every epoch has floor(n/b) batches of exactly b;
/// the n mod b samples at the last places sit out that epoch, or, with `keep_remainder`, are one more batch.
/// The order is a keyed bijection of [0, n), so a batch is a pure function of (seed, step), the same on any
/// process grid, and no rank holds all of it.
class Minibatches {
 public:
  /// Not collective. `grid` must outlive it; `n` training samples, `batch` (option -batch) samples a batch.
  /// Throws bad_input, on every rank, unless 1 <= batch <= n.
  Minibatches(const ProcessGrid& grid, Index n, Index batch, std::uint64_t seed, bool keep_remainder = false);

  /// The batch of a step, counted from 0. A rank's own samples are those of grid.samples(n); it may have
  /// none. Not collective; the first step of another epoch costs O(own samples), all others O(own of the
  /// batch).
  [[nodiscard]] Batch at(Index step) const;
  [[nodiscard]] Index batches_per_epoch() const {
    return n_ / batch_ + (keep_remainder_ && remainder() > 0 ? 1 : 0);
  }
  /// n mod b.
  [[nodiscard]] Index remainder() const { return n_ % batch_; }
  [[nodiscard]] Index epoch(Index step) const { return step / batches_per_epoch(); }
  /// The place of a sample in the order of an epoch; a bijection of [0, n).
  [[nodiscard]] Index place(Index epoch, Index sample) const;

 private:
  /// An own sample of the cached epoch, counted on this rank.
  struct Member {
    Index batch, sample;
    bool operator<(const Member& other) const {
      return batch != other.batch ? batch < other.batch : sample < other.sample;
    }
  };
  [[nodiscard]] std::uint64_t shuffled(std::uint64_t epoch, std::uint64_t value) const;
  void sort_epoch(Index epoch) const;

  Range own_;
  Index n_;
  Index batch_;
  std::uint64_t seed_;
  bool keep_remainder_;
  unsigned half_bits_ = 1;  ///< n <= 4^half_bits
  mutable Index cached_epoch_ = -1;
  mutable std::vector<Member> members_;  ///< of the cached epoch, by batch
};

}  // namespace poise
