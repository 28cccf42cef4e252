#pragma once

#include <mpi.h>

#include <memory>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/petsc_product.hpp"

namespace poise {
inline namespace linalg {

/// A dense matrix M in row blocks over a communicator, and its products with blocks of columns ("states").
/// Rank r holds rows [o[r], o[r+1]) =: m_r of it; a block of p states is m_r x p, column-major, on each rank.
/// M is m x m, or m x d where what it multiplies is distributed by other offsets: d_r x p. Used over
/// `grid.feature` for equilibria, over `grid.world` for the collapsed model.
///
/// Products gather the states (wide blocks: overlapped with the product of the rank's own block) because
/// that moves p m numbers for 2 p m^2 / P flops; transposed products send every block as soon as it is
/// computed. A matrix that one rank holds whole is multiplied with wide blocks by PETSc's Mat if a type of
/// PETSc is given (see PetscProduct), else by BLAS. Gathered blocks stay contiguous a rank, so nothing is
/// repacked. A rank may hold no rows. The workspace grows to the widest block seen and is then reused.
class RowBlockMatrix {
 public:
  /// `offsets`: size of comm + 1 numbers from 0 to m. `comm` must outlive the matrix. `petsc_type`: as
  /// -mat_type names it, "dense" or a type on a device; empty: BLAS.
  RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, const std::string& petsc_type = {});
  /// `columns`: the same for the rows of what M multiplies, from 0 to d.
  RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, std::vector<Index> columns,
                 std::string petsc_type = {});

  /// Number of columns of M.
  [[nodiscard]] Index width() const { return columns_.back(); }
  [[nodiscard]] const std::vector<Index>& offsets() const { return offsets_; }
  [[nodiscard]] Index row_begin() const { return offsets_[rank_]; }
  [[nodiscard]] Index local_rows() const { return offsets_[rank_ + 1] - offsets_[rank_]; }
  /// d_r: rows on this rank of what M multiplies.
  [[nodiscard]] Index local_columns() const { return columns_[rank_ + 1] - columns_[rank_]; }
  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  [[nodiscard]] const std::string& petsc_type() const { return petsc_type_; }
  /// The local rows, row-major: entry (i, j) of the rank's block at [i * width() + j].
  [[nodiscard]] double* rows() {
    changed_ = true;
    return rows_.data();
  }
  [[nodiscard]] const double* rows() const { return rows_.data(); }

  /// Collective. Y = M X for p columns; x is d_r x p, y is m_r x p; they must not overlap.
  void multiply(Index p, const double* x, double* y) const;
  /// Collective. Y = Mᵀ X for p columns; x is m_r x p, y is d_r x p; they must not overlap.
  void multiply_transpose(Index p, const double* x, double* y) const;
  /// Collective. M += X Yᵀ, where X (m_r x p) and Y (d_r x p) have p columns.
  void add_outer_product(Index p, const double* x, const double* y);
  /// Collective. All rows of a block d_r x p on every rank: that of rank g starts at [columns[g] * p].
  [[nodiscard]] const double* gather(Index p, const double* x) const;

  /// Columns multiplied so far by M or Mᵀ.
  [[nodiscard]] Index columns_multiplied() const { return columns_multiplied_; }

  /// What this rank had to send so far for gathers and reduce-scatters: every other rank's part of a block
  /// once, which no implementation of the collectives undercuts, and that many messages.
  struct Traffic {
    double bytes = 0.0, messages = 0.0;
  };
  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

 private:
  [[nodiscard]] bool by_petsc(Index p) const;
  void begin_gather(Index p, const double* x, MPI_Request* request) const;
  void set_counts(Index p) const;
  /// Counts that `numbers` doubles leave this rank, in a message to each of the others.
  void count_traffic(Index numbers) const;
  /// y (m_r x p) = or += the columns of block g times its states.
  void multiply_block(std::size_t g, Index p, const double* x, bool add, double* y) const;
  /// y (m_g x p) = the columns of block g, transposed, times x.
  void multiply_transpose_block(std::size_t g, Index p, const double* x, double* y) const;
  void multiply_transpose_overlapped(Index p, const double* x, double* y) const;

  MPI_Comm comm_;
  std::vector<Index> offsets_;
  std::vector<Index> columns_;
  std::size_t rank_ = 0;
  std::size_t size_ = 1;
  std::string petsc_type_;
  AlignedDoubles rows_;
  std::unique_ptr<PetscProduct> petsc_;  // null: BLAS
  mutable bool changed_ = true;          // since petsc_ took the entries
  mutable std::vector<double> workspace_, received_;
  mutable std::vector<MPI_Request> requests_;
  mutable std::vector<int> counts_;
  mutable std::vector<int> displacements_;
  mutable Index columns_multiplied_ = 0;
  mutable Traffic traffic_;
};

}  // namespace linalg
}  // namespace poise
