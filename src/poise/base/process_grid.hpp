#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

namespace poise {

using Index = std::int64_t;

/// A contiguous range of global indices [begin, end).
struct Range {
  Index begin = 0;
  Index end = 0;
  [[nodiscard]] Index size() const { return end - begin; }
  [[nodiscard]] bool contains(Index i) const { return begin <= i && i < end; }
};

/// Part `part` of [0, n) cut into `parts` contiguous pieces whose sizes differ by at most one (the first are
/// larger).
[[nodiscard]] Range block_range(Index n, int parts, int part);

/// The grid of P = P_f x P_s ranks (src/README.md "Process grid"): world rank = f * P_s + s.
///  - `feature()`: the P_f ranks that together hold one copy of the weights, row blocks of the state width m;
///  they share one block of samples. Solves live here; with P_f = 1 they are free of communication. All but
///  the first of these communicators are silent (output.hpp), so that what solvers print is printed once.
///  - `sample()`: the P_s ranks with the same rows and other samples.
/// Owns its three communicators (duplicates of `world`, so no message can meet another library's).
class ProcessGrid {
 public:
  /// Collective on `world`. Throws bad_input if `feature_ranks` (option -grid_feature_ranks) does not divide
  /// the ranks.
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
  /// Offsets of the row slices of `world()`, P + 1 numbers: slices of one row block follow each other.
  [[nodiscard]] std::vector<Index> world_offsets(Index m) const;

 private:
  MPI_Comm world_ = MPI_COMM_NULL;
  MPI_Comm feature_ = MPI_COMM_NULL;
  MPI_Comm sample_ = MPI_COMM_NULL;
  int rank_ = 0;
  int feature_ranks_ = 1;
  int sample_ranks_ = 1;
};

}  // namespace poise
