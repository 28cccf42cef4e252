#include "poise/linalg/row_block_matrix.hpp"

#include <algorithm>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {

RowBlockMatrix::RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets)
    : comm_(comm), offsets_(std::move(offsets)) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm_, &rank));
  rank_ = static_cast<std::size_t>(rank);
  size_ = offsets_.size() - 1;
  rows_.resize(static_cast<std::size_t>(local_rows() * width()));
  counts_.resize(size_);
  displacements_.resize(size_);
}

void RowBlockMatrix::set_counts(Index p) const {
  for (std::size_t g = 0; g < size_; ++g) {
    counts_[g] = static_cast<int>((offsets_[g + 1] - offsets_[g]) * p);
    displacements_[g] = static_cast<int>(offsets_[g] * p);
  }
  workspace_.resize(std::max(workspace_.size(), static_cast<std::size_t>(width() * p)));
}

void RowBlockMatrix::begin_gather(Index p, const double* x, MPI_Request* request) const {
  set_counts(p);
  check_mpi(MPI_Iallgatherv(x, counts_[rank_], MPI_DOUBLE, workspace_.data(), counts_.data(),
                            displacements_.data(), MPI_DOUBLE, comm_, request));
}

const double* RowBlockMatrix::gather(Index p, const double* x) const {
  if (size_ == 1) return x;
  MPI_Request request = MPI_REQUEST_NULL;
  begin_gather(p, x, &request);
  check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
  return workspace_.data();
}

void RowBlockMatrix::multiply_block(std::size_t g, Index p, const double* x, double beta, double* y) const {
  gemm('T', 'N', local_rows(), p, offsets_[g + 1] - offsets_[g], 1.0, rows() + offsets_[g], width(), x,
       offsets_[g + 1] - offsets_[g], beta, y, local_rows());
}

void RowBlockMatrix::multiply(Index p, const double* x, double* y) const {
  columns_multiplied_ += p;
  if (size_ == 1) return multiply_block(0, p, x, 0.0, y);
  MPI_Request request = MPI_REQUEST_NULL;
  begin_gather(p, x, &request);
  multiply_block(rank_, p, x, 0.0, y);
  check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
  for (std::size_t g = 0; g < size_; ++g)
    if (g != rank_) multiply_block(g, p, workspace_.data() + displacements_[g], 1.0, y);
}

void RowBlockMatrix::multiply_transpose(Index p, const double* x, double* y) const {
  columns_multiplied_ += p;
  if (size_ == 1)
    return gemm('N', 'N', width(), p, width(), 1.0, rows(), width(), x, width(), 0.0, y, width());
  set_counts(p);
  for (std::size_t g = 0; g < size_; ++g) {
    const Index rows_g = offsets_[g + 1] - offsets_[g];
    gemm('N', 'N', rows_g, p, local_rows(), 1.0, rows() + offsets_[g], width(), x, local_rows(), 0.0,
         workspace_.data() + displacements_[g], rows_g);
  }
  check_mpi(MPI_Reduce_scatter(workspace_.data(), y, counts_.data(), MPI_DOUBLE, MPI_SUM, comm_));
}

void RowBlockMatrix::add_outer_product(Index p, const double* x, const double* y) {
  const double* all = gather(p, y);
  for (std::size_t g = 0; g < size_; ++g) {
    const Index rows_g = offsets_[g + 1] - offsets_[g];
    gemm('N', 'T', rows_g, local_rows(), p, 1.0, all + offsets_[g] * p, rows_g, x, local_rows(), 1.0,
         rows() + offsets_[g], width());
  }
}

}  // namespace poise
