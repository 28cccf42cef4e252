#include "poise/linalg/row_block_matrix.hpp"

#include <algorithm>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace linalg {
namespace {

/// Blocks with fewer columns are gathered without overlap: their products end before a message arrives.
constexpr Index overlapped_columns = 32;
/// Tag of the messages of transposed products; the communicator belongs to Poise.
constexpr int transposed_tag = 7;

/// Time spent waiting for the rows of other ranks, and for the sum of the ranks' products.
LogEvent::Scope log_gather() {
  static const LogEvent event("VectorGather");
  return event.begin();
}
LogEvent::Scope log_reduce() {
  static const LogEvent event("VectorReduce");
  return event.begin();
}

}  // namespace

RowBlockMatrix::RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, const std::string& petsc_type)
    : RowBlockMatrix(comm, offsets, offsets, petsc_type) {}

RowBlockMatrix::RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, std::vector<Index> columns,
                               std::string petsc_type)
    : comm_(comm),
      offsets_(std::move(offsets)),
      columns_(std::move(columns)),
      petsc_type_(std::move(petsc_type)) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm_, &rank));
  rank_ = static_cast<std::size_t>(rank);
  size_ = offsets_.size() - 1;
  rows_.resize(static_cast<std::size_t>(local_rows() * width()));
  counts_.resize(size_);
  displacements_.resize(size_);
  // Registered here, because a rank without samples never reaches the code that uses these events.
  for (const char* event : {"VectorGather", "VectorReduce"}) (void)LogEvent(event);
  if (size_ == 1 && !petsc_type_.empty())
    petsc_ = std::make_unique<PetscProduct>(local_rows(), width(), petsc_type_);
}

bool RowBlockMatrix::by_petsc(Index p) const {
  return petsc_ && p >= overlapped_columns;
}

void RowBlockMatrix::set_counts(Index p) const {
  (void)mpi_count(width() * p);  // bounds all counts below; if it is too large, all ranks throw
  for (std::size_t g = 0; g < size_; ++g) {
    counts_[g] = static_cast<int>((columns_[g + 1] - columns_[g]) * p);
    displacements_[g] = static_cast<int>(columns_[g] * p);
  }
  workspace_.resize(std::max(workspace_.size(), static_cast<std::size_t>(width() * p)));
}

void RowBlockMatrix::count_traffic(Index numbers) const {
  traffic_.bytes += static_cast<double>(sizeof(double)) * static_cast<double>(numbers);
  traffic_.messages += static_cast<double>(size_ - 1);
}

void RowBlockMatrix::begin_gather(Index p, const double* x, MPI_Request* request) const {
  set_counts(p);
  count_traffic(counts_[rank_] * static_cast<Index>(size_ - 1));
  check_mpi(MPI_Iallgatherv(x, counts_[rank_], MPI_DOUBLE, workspace_.data(), counts_.data(),
                            displacements_.data(), MPI_DOUBLE, comm_, request));
}

const double* RowBlockMatrix::gather(Index p, const double* x) const {
  if (size_ == 1) return x;
  const auto scope = log_gather();
  set_counts(p);
  count_traffic(counts_[rank_] * static_cast<Index>(size_ - 1));
  check_mpi(MPI_Allgatherv(x, counts_[rank_], MPI_DOUBLE, workspace_.data(), counts_.data(),
                           displacements_.data(), MPI_DOUBLE, comm_));
  return workspace_.data();
}

void RowBlockMatrix::multiply_block(std::size_t g, Index p, const double* x, bool add, double* y) const {
  const Index columns = columns_[g + 1] - columns_[g];
  multiply_rows(local_rows(), columns, p, rows() + columns_[g], width(), x, columns, add, y, local_rows());
}

void RowBlockMatrix::multiply(Index p, const double* x, double* y) const {
  columns_multiplied_ += p;
  if (by_petsc(p)) return petsc_->multiply(false, rows(), std::exchange(changed_, false), p, x, y);
  if (size_ == 1) return multiply_block(0, p, x, false, y);
  if (p < overlapped_columns) {
    const double* all = gather(p, x);
    for (std::size_t g = 0; g < size_; ++g) multiply_block(g, p, all + displacements_[g], g > 0, y);
    return;
  }
  MPI_Request request = MPI_REQUEST_NULL;
  begin_gather(p, x, &request);
  multiply_block(rank_, p, x, false, y);
  {
    const auto scope = log_gather();
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE));
  }
  for (std::size_t g = 0; g < size_; ++g)
    if (g != rank_) multiply_block(g, p, workspace_.data() + displacements_[g], true, y);
}

void RowBlockMatrix::multiply_transpose_block(std::size_t g, Index p, const double* x, double* y) const {
  const Index columns = columns_[g + 1] - columns_[g];
  multiply_rows_transpose(local_rows(), columns, p, rows() + columns_[g], width(), x, local_rows(), false, y,
                          columns);
}

void RowBlockMatrix::multiply_transpose(Index p, const double* x, double* y) const {
  columns_multiplied_ += p;
  if (by_petsc(p)) return petsc_->multiply(true, rows(), std::exchange(changed_, false), p, x, y);
  if (size_ == 1) return multiply_transpose_block(0, p, x, y);
  set_counts(p);
  count_traffic(width() * p - counts_[rank_]);
  if (p >= overlapped_columns) return multiply_transpose_overlapped(p, x, y);
  for (std::size_t g = 0; g < size_; ++g)
    multiply_transpose_block(g, p, x, workspace_.data() + displacements_[g]);
  const auto scope = log_reduce();
  check_mpi(MPI_Reduce_scatter(workspace_.data(), y, counts_.data(), MPI_DOUBLE, MPI_SUM, comm_));
}

// Sends every block to its rank as soon as it is computed; computes the own block during the communication.
void RowBlockMatrix::multiply_transpose_overlapped(Index p, const double* x, double* y) const {
  const auto size = static_cast<std::size_t>(counts_[rank_]);
  received_.resize(std::max(received_.size(), size * (size_ - 1)));
  requests_.clear();
  for (std::size_t k = 1; k < size_; ++k) {
    const std::size_t from = (rank_ + size_ - k) % size_;
    check_mpi(MPI_Irecv(received_.data() + (k - 1) * size, counts_[rank_], MPI_DOUBLE, static_cast<int>(from),
                        transposed_tag, comm_, &requests_.emplace_back()));
  }
  for (std::size_t k = 1; k < size_; ++k) {
    const std::size_t to = (rank_ + k) % size_;
    double* block = workspace_.data() + displacements_[to];
    multiply_transpose_block(to, p, x, block);
    check_mpi(MPI_Isend(block, counts_[to], MPI_DOUBLE, static_cast<int>(to), transposed_tag, comm_,
                        &requests_.emplace_back()));
  }
  multiply_transpose_block(rank_, p, x, y);
  const auto scope = log_reduce();
  check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE));
  for (std::size_t k = 0; k + 1 < size_; ++k) {
    const double* block = received_.data() + k * size;
    for (std::size_t i = 0; i < size; ++i) y[i] += block[i];
  }
}

void RowBlockMatrix::add_outer_product(Index p, const double* x, const double* y) {
  const double* all = gather(p, y);
  for (std::size_t g = 0; g < size_; ++g) {
    const Index columns = columns_[g + 1] - columns_[g];
    gemm('N', 'T', columns, local_rows(), p, 1.0, all + columns_[g] * p, columns, x, local_rows(), 1.0,
         rows() + columns_[g], width());
  }
}

}  // namespace linalg
}  // namespace poise
