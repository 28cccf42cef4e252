#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

namespace poise {
inline namespace base {

using Index = std::int64_t;

/// A contiguous range of global indices [begin, end).
struct Range {
  Index begin = 0;
  Index end = 0;
  [[nodiscard]] Index size() const { return end - begin; }
  [[nodiscard]] bool contains(Index i) const { return begin <= i && i < end; }
};

/// The indices begin, begin + 1, …, end - 1.
[[nodiscard]] std::vector<Index> indices(Range range);

/// Piece `part` of [0, n) split into `parts` contiguous pieces whose sizes differ by at most one; the first
/// pieces are the larger ones.
[[nodiscard]] Range block_range(Index n, int parts, int part);

/// Not collective. The number of ranks.
[[nodiscard]] int size_of(MPI_Comm comm);

/// Not collective. The piece of this rank if [0, n) is split over the ranks of `comm`.
[[nodiscard]] Range own_block(MPI_Comm comm, Index n);

/// The grid of P = P_f x P_s ranks (src/README.md "Process grid"): world rank = f * P_s + s.
///  - `feature()`: the P_f ranks that together hold one copy of the weights, as row blocks of the state width
///  m; they share one block of samples. Solves use this communicator; with P_f = 1 they do not communicate.
///  All of these communicators except the first are silent (output.hpp), so that solvers print only once.
///  - `sample()`: the P_s ranks with the same rows and different samples.
/// Owns its three communicators (duplicates of `world`, so that messages of other libraries cannot
/// interfere).
class ProcessGrid {
 public:
  /// Collective on `world`. Throws bad_input if `feature_ranks` (option -grid_feature_ranks) does not divide
  /// the number of ranks.
  explicit ProcessGrid(MPI_Comm world, int feature_ranks = 1);
  ~ProcessGrid();
  ProcessGrid(const ProcessGrid&) = delete;
  ProcessGrid& operator=(const ProcessGrid&) = delete;

  [[nodiscard]] MPI_Comm world() const { return world_; }
  [[nodiscard]] MPI_Comm feature() const { return feature_; }
  [[nodiscard]] MPI_Comm sample() const { return sample_; }
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return feature_ranks_ * sample_ranks_; }
  [[nodiscard]] int feature_ranks() const { return feature_ranks_; }
  [[nodiscard]] int sample_ranks() const { return sample_ranks_; }
  [[nodiscard]] int feature_index() const { return rank_ / sample_ranks_; }
  [[nodiscard]] int sample_index() const { return rank_ % sample_ranks_; }

  /// The samples of this rank, out of n; the same on all ranks of `feature()`.
  [[nodiscard]] Range samples(Index n) const { return block_range(n, sample_ranks_, sample_index()); }
  /// Offsets of the row blocks of `feature()`, P_f + 1 numbers: rank f holds rows [o[f], o[f+1]) of m.
  [[nodiscard]] std::vector<Index> feature_offsets(Index m) const;
  /// Offsets of the row slices of `world()`, P + 1 numbers: the slices of a row block follow each other.
  [[nodiscard]] std::vector<Index> world_offsets(Index m) const;

 private:
  MPI_Comm world_ = MPI_COMM_NULL;
  MPI_Comm feature_ = MPI_COMM_NULL;
  MPI_Comm sample_ = MPI_COMM_NULL;
  int rank_ = 0;
  int feature_ranks_ = 1;
  int sample_ranks_ = 1;
};

}  // namespace base
}  // namespace poise
