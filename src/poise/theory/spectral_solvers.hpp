#pragma once

#include <string>
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

// Extreme eigenvalues and singular values of operators of which only products are known, by SLEPc. What comes
// back has converged and carries its true residual, recomputed with products; a solver that did not converge
// throws failure with the number of converged pairs, and one whose true residual is far above its tolerance
// throws failure, too. Starts are random numbers that do not depend on the
// ranks.

/// Which solver: every option of EPS under `prefix`.
struct SpectralSolver {
  std::string prefix;       ///< "spec_w_"
  std::string quantity;     ///< for error messages: "leading eigenvalues of W"
  double tolerance = 1e-9;  ///< default of eps_tol: residual relative to the value
  /// If not 0: a norm of the operator, and its eigenvalues' residuals are relative to that, as some may be 0.
  double scale = 0.0;
  /// Default of eps_ncv. The solver tests for convergence when the basis is full. Random matrices have a
  /// dense edge of the spectrum, which a small basis resolves slowly.
  Index basis = 40;
};

/// A real eigenvalue or a singular value.
struct SpectralValue {
  double value = 0.0;
  /// True residual for unit vectors: ‖Ax − λx‖₂, or (‖Mv − σu‖² + ‖Mᵀu − σv‖²)^½. Some eigenvalue of a
  /// symmetric operator, some singular value of any, is within it.
  double residual = 0.0;
  int iterations = 0;          ///< restarts
  Index products = 0;          ///< with the operator or its transpose
  std::vector<double> vector;  ///< this rank's part of the eigenvector, or of the right singular vector
  std::vector<double> left;    ///< left singular vector
};

/// Collective. The largest eigenvalue of a symmetric operator (Krylov-Schur). As a Rayleigh quotient it is
/// never above the true one, but for rounding.
[[nodiscard]] SpectralValue largest_eigenvalue(const LinearOperator& symmetric, const SpectralSolver& solver);

struct Eigenvalue {
  double real = 0.0, imaginary = 0.0;
  /// ‖Wx − λx‖₂ of the unit eigenvector, in complex arithmetic: λ is an exact eigenvalue of a matrix this
  /// near W. How near to one of W itself depends on how non-normal W is.
  double residual = 0.0;
  [[nodiscard]] double modulus() const;
};

struct Eigenvalues {
  std::vector<Eigenvalue> values;  ///< descending modulus
  int iterations = 0;
  Index products = 0;
};

/// Collective. The `count` eigenvalues of largest modulus of any operator (Krylov-Schur); a conjugate pair is
/// never split, so there may be one more. Throws bad_input if there are not so many.
[[nodiscard]] Eigenvalues leading_eigenvalues(const LinearOperator& op, Index count,
                                              const SpectralSolver& solver);

/// Collective. The largest singular value, by Krylov-Schur on MᵀM, which is as accurate at this end.
[[nodiscard]] SpectralValue largest_singular_value(const LinearOperator& op, const SpectralSolver& solver);

/// Collective. The smallest singular value, as 1 over the largest one of the inverse, which GMRES applies
/// (KSP prefix: that of `solver` and `ksp_`). The residual is that of the operator itself, so an inexact
/// inverse cannot hide. Throws failure if a linear solve fails, as it does for a singular operator.
[[nodiscard]] SpectralValue smallest_singular_value(const LinearOperator& op, const SpectralSolver& solver);

/// Collective. Lets PETSc see the options of a solver that will be made later, so that
/// Options::reject_unknown can be asked before the long part. `kind`: EPS or KSP.
void consult_options(MPI_Comm comm, const std::string& prefix, const std::string& kind);

}  // namespace poise
