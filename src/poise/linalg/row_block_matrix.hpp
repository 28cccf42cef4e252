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
/// Rank r holds the m_r rows [o[r], o[r+1]) of M; its part of a block of p states is m_r x p, column-major. M
/// is m x m, or m x d if it multiplies blocks of d rows with their own offsets, d_r x p on rank r. Equilibria
/// use it over `grid.feature`, the collapsed model over `grid.world`.
///
/// Products gather the states, because this moves p m numbers for 2 p m^2 / P flops; for wide blocks the
/// gather overlaps with the product of the rank's own block. Transposed products send every block as soon as
/// it is computed. If one rank holds the whole matrix and a PETSc type is given, PETSc's Mat computes the
/// products with wide blocks (see PetscProduct), else BLAS. The gathered states of each rank stay contiguous,
/// so nothing is repacked. A rank may hold no rows. The workspace grows to the widest block so far and is
/// reused.
class RowBlockMatrix {
 public:
  /// `offsets`: size of comm + 1 numbers from 0 to m. `comm` must outlive the matrix. `petsc_type`: a value
  /// of -mat_type, "dense" or a type on a device; if empty: BLAS.
  RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, const std::string& petsc_type = {});
  /// `columns`: the offsets of the rows of the blocks that M multiplies, from 0 to d.
  RowBlockMatrix(MPI_Comm comm, std::vector<Index> offsets, std::vector<Index> columns,
                 std::string petsc_type = {});

  /// Number of columns of M.
  [[nodiscard]] Index width() const { return columns_.back(); }
  [[nodiscard]] const std::vector<Index>& offsets() const { return offsets_; }
  [[nodiscard]] Index row_begin() const { return offsets_[rank_]; }
  [[nodiscard]] Index local_rows() const { return offsets_[rank_ + 1] - offsets_[rank_]; }
  /// d_r, this rank's number of rows of a block that M multiplies.
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
  /// Collective. All rows of a block (d_r x p on rank r) on every rank: the rows of rank g start at
  /// [columns[g] * p].
  [[nodiscard]] const double* gather(Index p, const double* x) const;

  /// Number of columns multiplied by M or Mᵀ so far.
  [[nodiscard]] Index columns_multiplied() const { return columns_multiplied_; }

  /// The least that this rank must have sent so far for gathers and reduce-scatters, whatever the
  /// implementation of the collectives: its own part of a gathered block once to every other rank, or the
  /// part of every other rank once to that rank, in one message each.
  struct Traffic {
    double bytes = 0.0, messages = 0.0;
  };
  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

 private:
  [[nodiscard]] bool by_petsc(Index p) const;
  void begin_gather(Index p, const double* x, MPI_Request* request) const;
  void set_counts(Index p) const;
  /// Counts `numbers` doubles that leave this rank, in one message to every other rank.
  void count_traffic(Index numbers) const;
  /// y (m_r x p) = or, with `add`, += the columns of M for rank g times the states x of rank g.
  void multiply_block(std::size_t g, Index p, const double* x, bool add, double* y) const;
  /// y (d_g x p) = the columns of M for rank g, transposed, times x (m_r x p).
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
  mutable bool changed_ = true;          // entries may have changed since petsc_ copied them
  mutable std::vector<double> workspace_, received_;
  mutable std::vector<MPI_Request> requests_;
  mutable std::vector<int> counts_;
  mutable std::vector<int> displacements_;
  mutable Index columns_multiplied_ = 0;
  mutable Traffic traffic_;
};

}  // namespace linalg
}  // namespace poise
