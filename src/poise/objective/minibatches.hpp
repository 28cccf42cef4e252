#pragma once

#include <cstdint>
#include <vector>

#include "poise/base/permutation.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace objective {

/// The minibatches of a run: in each epoch the n training samples are put in a new random order, and batch k
/// of the epoch is the samples at the places [k·b, (k+1)·b). Every epoch has floor(n/b) batches of exactly b;
/// the n mod b samples at the last places are left out of that epoch, or, with `keep_remainder`, make one
/// more batch. The order is a keyed bijection of [0, n), so that a batch is a pure function of (seed, step),
/// the same on any process grid, and no rank holds the whole order.
class Minibatches {
 public:
  /// Not collective. `own`: the samples of this rank among the `n` training samples (own_samples). `batch`:
  /// samples per batch (option -batch). Throws bad_input, on every rank, unless 1 <= batch <= n.
  Minibatches(Range own, Index n, Index batch, std::uint64_t seed, bool keep_remainder = false);

  /// The batch of a step; steps count from 0. The batch lists the samples of this rank; the list may be
  /// empty. Not collective. The first step of a new epoch costs O(samples of this rank), every later step
  /// O(samples of this rank in the batch).
  [[nodiscard]] Batch at(Index step) const;
  [[nodiscard]] Index batches_per_epoch() const {
    return n_ / batch_ + (keep_remainder_ && remainder() > 0 ? 1 : 0);
  }
  /// n mod b.
  [[nodiscard]] Index remainder() const { return n_ % batch_; }
  [[nodiscard]] Index epoch(Index step) const { return step / batches_per_epoch(); }
  /// The place of a sample in the order of an epoch; a bijection of [0, n).
  [[nodiscard]] Index place(Index epoch, Index sample) const { return order_.place(epoch, sample); }

 private:
  /// A sample of this rank in the cached epoch, by its number on this rank.
  struct Member {
    Index batch, sample;
    bool operator<(const Member& other) const {
      return batch != other.batch ? batch < other.batch : sample < other.sample;
    }
  };
  void sort_epoch(Index epoch) const;

  Range own_;
  Index n_;
  Index batch_;
  bool keep_remainder_;
  Permutation order_;
  mutable Index cached_epoch_ = -1;
  mutable std::vector<Member>
      members_;  ///< samples of this rank in the cached epoch, in the order of the batches
};

}  // namespace objective
}  // namespace poise
