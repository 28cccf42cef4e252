#pragma once

#include <string>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {
inline namespace theory {

/// A square linear operator over the world, given by its products. They act on this rank's part of a vector:
/// a block of `rows` x `columns` numbers, column-major, whose first row is the global row `row_begin`.
struct LinearOperator {
  MPI_Comm comm;
  Index row_begin;
  Index rows;
  Index columns;
  Index size;  ///< rows on all ranks times columns
  LinearMap apply;
  LinearMap apply_transpose;  ///< needed only for singular values
};

/// x ↦ Mx for one column; M must be square and outlive the operator.
[[nodiscard]] LinearOperator operator_of(const RowBlockMatrix& matrix);
/// The same with scaled rows: x ↦ d∘(Mx), for example a Jacobian diag(a')W; d holds the factors of this
/// rank's rows and must outlive the operator.
[[nodiscard]] LinearOperator operator_of(const RowBlockMatrix& matrix, const double* row_scales);

/// Collective. ‖M‖_F, or ‖diag(d)M‖_F. Throws failure if it is not finite.
[[nodiscard]] double frobenius_norm(const RowBlockMatrix& matrix, const double* row_scales = nullptr);

/// Not collective. This rank's part of a normal random vector that does not depend on the ranks.
[[nodiscard]] std::vector<double> random_vector(const LinearOperator& op);

/// Collective. ‖x‖₂ of a vector that is distributed as for `op`.
[[nodiscard]] double vector_norm(const LinearOperator& op, const std::vector<double>& x);

// Extreme eigenvalues and singular values, by SLEPc, of operators that are only known by their products.
// Results have converged and come with their true residual, recomputed with products. A solver throws failure
// if it does not converge, with the number of converged pairs, and also if its true residual is far above its
// tolerance. Starts are random numbers that do not depend on the ranks.

/// A solver and its defaults; it reads every option of EPS with `prefix`.
struct SpectralSolver {
  std::string prefix;       ///< "spec_w_"
  std::string quantity;     ///< for error messages: "leading eigenvalues of W"
  double tolerance = 1e-9;  ///< default of eps_tol: residual relative to the value
  /// If not 0: a norm of the operator. Residuals are then relative to it, not to the eigenvalues, of which
  /// some may be 0.
  double scale = 0.0;
  /// Default of eps_ncv. The solver tests for convergence when the basis is full. Random matrices have a
  /// dense edge of the spectrum, which a small basis resolves slowly.
  Index basis = 40;
};

/// A real eigenvalue or a singular value.
struct SpectralValue {
  double value = 0.0;
  /// True residual for unit vectors: ‖Ax − λx‖₂, or (‖Mv − σu‖² + ‖Mᵀu − σv‖²)^½. A symmetric operator has an
  /// eigenvalue within this distance of `value`, any operator a singular value.
  double residual = 0.0;
  int iterations = 0;          ///< restarts
  Index products = 0;          ///< products with the operator or its transpose
  std::vector<double> vector;  ///< this rank's part of the eigenvector, or of the right singular vector
  std::vector<double> left;    ///< left singular vector
};

/// Collective. The largest eigenvalue of a symmetric operator (Krylov-Schur). It is a Rayleigh quotient, and
/// so never above the true eigenvalue, up to rounding.
[[nodiscard]] SpectralValue largest_eigenvalue(const LinearOperator& symmetric, const SpectralSolver& solver);

struct Eigenvalue {
  double real = 0.0, imaginary = 0.0;
  /// ‖Wx − λx‖₂ of the unit eigenvector, in complex arithmetic: λ is an exact eigenvalue of a matrix at this
  /// distance from W. Its distance from an eigenvalue of W itself depends on how non-normal W is.
  double residual = 0.0;
  [[nodiscard]] double modulus() const;
};

struct Eigenvalues {
  std::vector<Eigenvalue> values;  ///< descending modulus
  int iterations = 0;
  Index products = 0;
};

/// Collective. The `count` eigenvalues of largest modulus of any operator (Krylov-Schur); a conjugate pair is
/// never split, so that the result may have one eigenvalue more. Throws bad_input if the operator has fewer
/// than `count` eigenvalues.
[[nodiscard]] Eigenvalues leading_eigenvalues(const LinearOperator& op, Index count,
                                              const SpectralSolver& solver);

/// Collective. The largest singular value, by Krylov-Schur on MᵀM, which is accurate for the largest singular
/// values.
[[nodiscard]] SpectralValue largest_singular_value(const LinearOperator& op, const SpectralSolver& solver);

/// Collective. The smallest singular value, as 1 over the largest singular value of the inverse, which GMRES
/// applies (KSP prefix: the prefix of `solver` followed by `ksp_`). The residual is computed with the
/// operator itself, so that it shows an inexact inverse. Throws failure if a linear solve fails, as for a
/// singular operator.
[[nodiscard]] SpectralValue smallest_singular_value(const LinearOperator& op, const SpectralSolver& solver);

/// Collective. Lets PETSc read the options of a solver that will be made later, so that
/// Options::reject_unknown can run before the long part. `kind`: EPS or KSP.
void consult_options(MPI_Comm comm, const std::string& prefix, const std::string& kind);

}  // namespace theory
}  // namespace poise
