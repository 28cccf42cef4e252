#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// A trainable matrix of m rows: columns of the stored rows of θ.
struct ParameterBlock {
  std::string name;  ///< in checkpoints: /parameters/NAME
  Index columns = 0;
  double scale = 1.0;  ///< entries start at this times N(0,1); 0: at zero
  Index offset = 0;    ///< first column in a stored row; set by ParameterLayout
};

/// How the parameters θ are stored: ONE Vec on the world whose natural order is the rows of the matrix [A | …
/// | Bᵀ], where A stands for the model's blocks (softmax-linear: A alone, m x m; others also have input
/// weights and biases, each of m rows); every rank owns the rows `slice()`, a contiguous part of its feature
/// row block. θ exists once, so replicas cannot drift, and neither solvers nor files need to know the grid.
/// Ranks may own no rows.
class ParameterLayout {
 public:
  /// `grid` must outlive the layout. m: state width, q: outputs. The model's only block is A, m x m.
  ParameterLayout(const ProcessGrid& grid, Index m, Index q);
  /// `blocks`: of the model, without the readout B, which is always the last block. `matrix_type`: see below.
  ParameterLayout(const ProcessGrid& grid, Index m, Index q, std::vector<ParameterBlock> blocks,
                  std::string matrix_type = {});

  [[nodiscard]] const ProcessGrid& grid() const { return grid_; }
  [[nodiscard]] Index width() const { return m_; }
  [[nodiscard]] Index outputs() const { return q_; }
  /// Length of a stored row: columns of all blocks and q; m + q for softmax-linear.
  [[nodiscard]] Index row_length() const { return readout_offset() + q_; }
  /// The model's blocks, in their order in a stored row.
  [[nodiscard]] const std::vector<ParameterBlock>& blocks() const { return blocks_; }
  /// The block of this name; throws failure if there is none.
  [[nodiscard]] const ParameterBlock& block_of(const std::string& name) const;
  /// First column of Bᵀ in a stored row.
  [[nodiscard]] Index readout_offset() const { return readout_offset_; }
  /// -mat_type: PETSc's type for the products with the weights (RowBlockMatrix); empty: BLAS.
  [[nodiscard]] const std::string& matrix_type() const { return matrix_type_; }
  /// Rows of θ owned by this rank.
  [[nodiscard]] Range slice() const { return slice_; }
  /// Rows held by this rank's feature row block; the slices of `grid().sample()` make it up.
  [[nodiscard]] Range block() const { return block_; }
  [[nodiscard]] const std::vector<Index>& slice_offsets() const { return slice_offsets_; }
  [[nodiscard]] const std::vector<Index>& block_offsets() const { return block_offsets_; }

  /// Collective. A new parameter Vec, entries unset.
  [[nodiscard]] VecHandle create() const { return create_vec(grid_.world(), slice_.size() * row_length()); }

  /// Entries of a block ~ scale_a · (its scale) · N(0,1), B_ij ~ scale_b N(0,1)/√m, keyed by (seed, block, i,
  /// j): the same on every grid. Not collective.
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
  std::vector<ParameterBlock> blocks_;
  std::string matrix_type_;
  Index readout_offset_ = 0;
  std::vector<Index> slice_offsets_;
  std::vector<Index> block_offsets_;
  Range slice_;
  Range block_;
};

/// out (cols x rows, column-major) = transpose of in (rows x cols, column-major).
void transpose(Index rows, Index cols, const double* in, double* out);

}  // namespace poise
