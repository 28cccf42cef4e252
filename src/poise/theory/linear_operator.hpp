#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {

/// A square linear operator over the world, by its products on this rank's part of a vector: a block of
/// `rows` x `columns` numbers, column-major, whose first row is the global row `row_begin`.
struct LinearOperator {
  MPI_Comm comm;
  Index row_begin;
  Index rows;
  Index columns;
  Index size;  ///< rows on all ranks times columns
  LinearMap apply;
  LinearMap apply_transpose;  ///< singular values alone need it
};

/// x ↦ Mx of one column; M must be square and outlive it.
[[nodiscard]] LinearOperator operator_of(const RowBlockMatrix& matrix);
/// The same scaled by rows: x ↦ d∘(Mx), a Jacobian diag(a')W; d holds this rank's rows and must outlive it.
[[nodiscard]] LinearOperator operator_of(const RowBlockMatrix& matrix, const double* row_scales);

/// Collective. ‖M‖_F, or ‖diag(d)M‖_F. Throws failure if it is not finite.
[[nodiscard]] double frobenius_norm(const RowBlockMatrix& matrix, const double* row_scales = nullptr);

/// Not collective. This rank's part of a normal random vector that does not depend on the ranks.
[[nodiscard]] std::vector<double> random_vector(const LinearOperator& op);

/// Collective. ‖x‖₂ of a vector that `op` takes.
[[nodiscard]] double vector_norm(const LinearOperator& op, const std::vector<double>& x);

}  // namespace poise
