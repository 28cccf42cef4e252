#include "poise/base/process_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

namespace poise {
inline namespace base {

std::vector<Index> indices(Range range) {
  std::vector<Index> all(static_cast<std::size_t>(range.size()));
  std::iota(all.begin(), all.end(), range.begin);
  return all;
}

Range block_range(Index n, int parts, int part) {
  const Index base = n / parts;
  const Index extra = n % parts;
  const Index begin = part * base + std::min<Index>(part, extra);
  return {begin, begin + base + (part < extra ? 1 : 0)};
}

int size_of(MPI_Comm comm) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  return size;
}

Range own_block(MPI_Comm comm, Index n) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  return block_range(n, size_of(comm), rank);
}

ProcessGrid::ProcessGrid(MPI_Comm world, int feature_ranks) : feature_ranks_(feature_ranks) {
  int size = 0;
  check_mpi(MPI_Comm_size(world, &size));
  if (feature_ranks < 1 || size % feature_ranks != 0) {
    throw Error(
        ExitCode::bad_input,
        fmt::format("-grid_feature_ranks {0} does not divide the {1} ranks of this run: choose a divisor "
                    "of {1}, or start another number of ranks",
                    feature_ranks, size),
        true);
  }
  sample_ranks_ = size / feature_ranks;
  check_mpi(MPI_Comm_dup(world, &world_));
  check_mpi(MPI_Comm_rank(world_, &rank_));
  check_mpi(MPI_Comm_split(world_, sample_index(), feature_index(), &feature_));
  check_mpi(MPI_Comm_split(world_, feature_index(), sample_index(), &sample_));
  if (sample_index() != 0) silence(feature_);  // the solvers of the first samples print already
  if (feature_index() != 0) silence(sample_);
}

ProcessGrid::~ProcessGrid() {
  for (MPI_Comm* comm : {&sample_, &feature_, &world_})
    if (*comm != MPI_COMM_NULL) MPI_Comm_free(comm);
}

std::vector<Index> ProcessGrid::feature_offsets(Index m) const {
  std::vector<Index> offsets{0};
  for (int f = 0; f < feature_ranks_; ++f) offsets.push_back(block_range(m, feature_ranks_, f).end);
  return offsets;
}

std::vector<Index> ProcessGrid::world_offsets(Index m) const {
  std::vector<Index> offsets{0};
  for (int f = 0; f < feature_ranks_; ++f) {
    const Range rows = block_range(m, feature_ranks_, f);
    for (int s = 0; s < sample_ranks_; ++s)
      offsets.push_back(rows.begin + block_range(rows.size(), sample_ranks_, s).end);
  }
  return offsets;
}

}  // namespace base
}  // namespace poise
