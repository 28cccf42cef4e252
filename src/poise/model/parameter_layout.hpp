#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace model {

/// A trainable matrix of m rows, stored as some columns of the rows of θ.
struct ParameterBlock {
  std::string name;  ///< in checkpoints: /parameters/NAME
  Index columns = 0;
  double scale = 1.0;  ///< entries start at this number times N(0,1); with 0 they start at zero
  Index offset = 0;    ///< first column in a stored row; set by ParameterLayout
};

/// How the parameters θ are stored: in one Vec on the world, which holds the rows of the matrix [A | … | Bᵀ]
/// one after the other. A stands for the model's blocks (softmax-linear has only A, m x m; other models also
/// have input weights and biases, each of m rows). Every rank owns the rows `slice()`, a contiguous part of
/// its feature row block; a rank may own no rows. θ exists only once, so that copies cannot become different,
/// and neither solvers nor files need to know the grid.
class ParameterLayout {
 public:
  /// `grid` must outlive the layout. m: state width, q: outputs. The model's only block is A, m x m.
  ParameterLayout(const ProcessGrid& grid, Index m, Index q);
  /// `blocks`: the model's blocks without the readout B, which is always the last block. `matrix_type`: see
  /// below.
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
  /// Rows of this rank's feature row block; it consists of the slices of the ranks of `grid().sample()`.
  [[nodiscard]] Range block() const { return block_; }
  [[nodiscard]] const std::vector<Index>& slice_offsets() const { return slice_offsets_; }
  [[nodiscard]] const std::vector<Index>& block_offsets() const { return block_offsets_; }

  /// Collective. A new parameter Vec; its entries are not set.
  [[nodiscard]] VecHandle create() const { return create_vec(grid_.world(), slice_.size() * row_length()); }

  /// Entries of a block ~ scale_a · (its scale) · N(0,1), B_ij ~ scale_b N(0,1)/√m, functions of (seed,
  /// block, i, j) that do not depend on the grid. Not collective.
  void initialise(Vec theta, std::uint64_t seed, double scale_a, double scale_b) const;

  /// Collective on grid().sample(). Joins the row-major slices (slice().size() x columns) to the row block
  /// (block().size() x columns).
  void gather_block(const double* slice, Index columns, double* block) const;
  /// Collective on grid().sample(). Sums the row blocks of the ranks of grid().sample(); each rank gets its
  /// slice of the sum.
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

}  // namespace model
}  // namespace poise
