#include "poise/linalg/slice_transpose.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace linalg {
namespace {

/// Rows and columns of a tile. One of the two matrices is visited across its cache lines; a small tile keeps
/// these lines in cache.
constexpr Index tile = 16;

/// out (cols x rows, stride_out) = transpose of in (rows x cols, stride_in), both row-major.
void transpose_tiles(Index rows, Index cols, const double* in, Index stride_in, double* out,
                     Index stride_out) {
  for (Index i0 = 0; i0 < rows; i0 += tile)
    for (Index j0 = 0; j0 < cols; j0 += tile)
      for (Index j = j0; j < std::min(j0 + tile, cols); ++j)
        for (Index i = i0; i < std::min(i0 + tile, rows); ++i)
          out[j * stride_out + i] = in[i * stride_in + j];
}

}  // namespace

SliceTranspose::SliceTranspose(MPI_Comm comm, const std::vector<Index>& offsets)
    : comm_(comm), offsets_(offsets) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  const Index m = offsets.back();
  const auto own = static_cast<std::size_t>(rank);
  rows_ = offsets[own + 1] - offsets[own];
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    (void)mpi_count((offsets[r + 1] - offsets[r]) * m);  // checked for every rank, so that all ranks throw
    counts_.push_back(static_cast<int>(rows_ * (offsets[r + 1] - offsets[r])));
    displacements_.push_back(static_cast<int>(rows_ * offsets[r]));
  }
  if (counts_.size() == 1) return;
  // One number at least, because MPICH takes no null pointer, even for nothing.
  send_.resize(static_cast<std::size_t>(std::max<Index>(1, rows_ * m)));
  receive_.resize(send_.size());
}

void SliceTranspose::apply(const double* rows, Index stride, double* out) {
  const Index m = offsets_.back();
  if (counts_.size() == 1) return transpose_tiles(m, m, rows, stride, out, m);
  // Rank r gets its columns of this rank's rows of M, one column after the other.
  transpose_tiles(rows_, m, rows, stride, send_.data(), rows_);
  check_mpi(MPI_Alltoallv(send_.data(), counts_.data(), displacements_.data(), MPI_DOUBLE, receive_.data(),
                          counts_.data(), displacements_.data(), MPI_DOUBLE, comm_));
  for (std::size_t r = 0; r + 1 < offsets_.size(); ++r) {
    const Index columns = offsets_[r + 1] - offsets_[r];
    for (Index i = 0; i < rows_; ++i)
      std::copy_n(receive_.data() + displacements_[r] + i * columns, columns, out + i * m + offsets_[r]);
  }
}

}  // namespace linalg
}  // namespace poise
