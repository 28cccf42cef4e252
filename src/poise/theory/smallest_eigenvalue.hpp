#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/leading_product.hpp"

namespace poise {

/// λ_min(D) with the outcome of the solve that found it.
struct SmallestEigenvalue {
  double lambda_min = 0.0;
  double residual = 0.0;  ///< ‖D⁻¹x - x/λ_min‖₂ of the unit eigenvector, recomputed, not estimated
  double lower_bound = 0.0;  ///< 1 / (1/λ_min + residual): D has an eigenvalue in [lower_bound, lambda_min]
  int iterations = 0;        ///< restarts of the eigensolver
  Index products = 0;        ///< products with D⁻¹; q of one column each count as one
  int reason = 0;            ///< EPSConvergedReason
};

/// λ_min(D) = 1/λ_max(D⁻¹) (THEORY.md 4.3) by Krylov-Schur; all of EPS's options under the prefix spec_.
///
/// The top of D⁻¹ is a cluster of q eigenvalues, down to 1e-7 apart while W is small: a Krylov method alone
/// then meets its tolerance with a wrong member. So a solve starts from the best combination (Rayleigh-Ritz)
/// of the last two eigenvectors, which extrapolates along a smooth flow, and `DynamicsMatrix::best_product`;
/// the first solve starts from a `LeadingProduct`. The residual is solved to 3e-9 of the eigenvalue. The
/// eigenvalue's error is residual² / gap, always towards a too large λ_min, and covered by `lower_bound`.
/// With 1e-7 it reached 1e-9, and the iterations of another grid then showed in a history; below 3e-9 the
/// products of a cold solve grow from 49 to 137 (m = 512, q = 10).
class SmallestEigensolver {
 public:
  /// Collective. `dynamics` must outlive this object; `update` it before `solve`.
  SmallestEigensolver(const DynamicsMatrix& dynamics, std::uint64_t seed);
  SmallestEigensolver(const SmallestEigensolver&) = delete;
  SmallestEigensolver& operator=(const SmallestEigensolver&) = delete;

  /// Collective. Starts from the eigenvectors held, else from random numbers that do not depend on the ranks.
  /// Throws failure if the eigensolver does not converge.
  [[nodiscard]] SmallestEigenvalue solve();

  /// The last two eigenvectors found (or one, or none), newest first: m_r x q blocks one after the other, so
  /// m_r x 2q. They are all the state there is: a run that restores them goes on as if it had not stopped.
  [[nodiscard]] const std::vector<double>& eigenvectors() const { return eigenvectors_; }
  /// Call on all ranks with as many blocks, or none to forget. Throws bad_input if the size is wrong. Not
  /// collective.
  void set_eigenvectors(std::span<const double> blocks);

 private:
  void improve_start(int held);
  [[nodiscard]] int held_vectors() const;
  void run(double tolerance, SmallestEigenvalue& result);

  const DynamicsMatrix& dynamics_;
  Index products_ = 0;
  double tolerance_ = 0.0;
  PetscInt max_restarts_ = 0;
  ShellOperator inverse_;
  EpsHandle eps_;
  VecHandle vector_;
  std::unique_ptr<LeadingProduct> leading_;
  std::vector<double> eigenvectors_;
};

}  // namespace poise
