#pragma once

#include <cstdint>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// How the parameters θ = (A, B) are stored: ONE Vec on the world whose natural order is the rows of the m x
/// (m+q) matrix [A | Bᵀ]; every rank owns the rows `slice()`, a contiguous part of its feature row block. θ
/// exists once, so replicas cannot drift, and neither solvers nor files need to know the grid. Ranks may own
/// no rows.
class ParameterLayout {
 public:
  /// `grid` must outlive the layout. m: state width, q: outputs.
  ParameterLayout(const ProcessGrid& grid, Index m, Index q);

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] Index width() const { return m_; }
  [[nodiscard]] Index outputs() const { return q_; }
  /// m + q, the length of a stored row.
  [[nodiscard]] Index row_length() const { return m_ + q_; }
  /// Rows of [A | Bᵀ] owned by this rank.
  [[nodiscard]] Range slice() const { return slice_; }
  /// Rows held by this rank's feature row block; the slices of `grid().sample()` make it up.
  [[nodiscard]] Range block() const { return block_; }
  [[nodiscard]] const std::vector<Index>& slice_offsets() const { return slice_offsets_; }
  [[nodiscard]] const std::vector<Index>& block_offsets() const { return block_offsets_; }

  /// Collective. A new parameter Vec, entries unset.
  [[nodiscard]] VecHandle create() const { return create_vec(grid_.world(), slice_.size() * row_length()); }

  /// A_ij ~ scale_a N(0,1), B_ij ~ scale_b N(0,1)/√m, keyed by (seed, i, j): the same on every grid. Not
  /// collective.
  void initialise(Vec theta, std::uint64_t seed, double scale_a, double scale_b) const;

  /// Collective on grid().sample(). Row-major slices (slice().size() x columns) -> the row block
  /// (block().size() x columns).
  void gather_block(const double* slice, Index columns, double* block) const;
  /// Collective on grid().sample(). Sums the blocks of all sample ranks and leaves this rank its slice of the
  /// sum.
  void reduce_block(const double* block, Index columns, double* slice) const;

 private:
  [[nodiscard]] std::vector<int> counts(Index columns) const;

  const ProcessGrid& grid_;
  Index m_;
  Index q_;
  std::vector<Index> slice_offsets_;
  std::vector<Index> block_offsets_;
  Range slice_;
  Range block_;
};

/// out (cols x rows, column-major) = transpose of in (rows x cols, column-major).
void transpose(Index rows, Index cols, const double* in, double* out);

}  // namespace poise
