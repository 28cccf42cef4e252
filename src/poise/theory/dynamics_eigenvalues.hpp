#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "poise/objective/collapsed_model.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/spectral_solvers.hpp"

namespace poise {
inline namespace theory {

/// Finds a first approximation of the top eigenvector of D⁻¹ that is the product of one state vector p and
/// one output vector c. D⁻¹ = (U ⊗ I) diag_k(M_k⁻¹) (Uᵀ ⊗ I) with all M_k near I at the start of a training:
/// its q largest eigenvalues form a cluster with a common p, and p belongs to the edge of a dense spectrum. A
/// Krylov method on all mq numbers converges slowly to p, and only afterwards to c. Here p comes from the m x
/// m matrix U diag_k(cᵀM_k⁻¹c) Uᵀ, whose products cost a q-th, and then c comes from a q x q matrix
/// (`DynamicsMatrix::best_product`). Options prefix `spec_state_` (EPS).
class LeadingProduct {
 public:
  /// Collective. `dynamics` must outlive this object. `tolerance`: default of -spec_state_eps_tol.
  LeadingProduct(const DynamicsMatrix& dynamics, std::uint64_t seed, double tolerance);
  LeadingProduct(const LeadingProduct&) = delete;
  LeadingProduct& operator=(const LeadingProduct&) = delete;

  /// Collective. out: m_r x q, unit norm. A failure to converge is no error: a worse start only costs
  /// products later.
  void find(double* out);
  /// Pairs of products with U and with Uᵀ of one column in the last `find`.
  [[nodiscard]] Index products() const { return products_; }

 private:
  void set_random_start();
  /// p = top eigenvector of U diag(weights_) Uᵀ, starting from the previous p.
  void update_state();

  const DynamicsMatrix& dynamics_;
  std::uint64_t seed_;
  Index products_ = 0;
  std::vector<double> weights_, block_;
  ShellOperator inverse_;
  EpsHandle eps_;
  VecHandle state_;
};

/// λ_min(D) with the outcome of the solve that found it.
struct SmallestEigenvalue {
  double lambda_min = 0.0;
  double residual = 0.0;  ///< ‖D⁻¹x - x/λ_min‖₂ of the unit eigenvector, recomputed, not estimated
  double lower_bound = 0.0;  ///< 1 / (1/λ_min + residual): D has an eigenvalue in [lower_bound, lambda_min]
  int iterations = 0;        ///< restarts of the eigensolver
  Index products = 0;        ///< products with D⁻¹; q products of one column count as one
  int reason = 0;            ///< EPSConvergedReason
};

/// λ_min(D) = 1/λ_max(D⁻¹) (THEORY.md 4.3) by Krylov-Schur; all options of EPS have the prefix spec_.
///
/// The q largest eigenvalues of D⁻¹ form a cluster, as little as 1e-7 apart while W is small: a Krylov method
/// alone then meets its tolerance with a wrong eigenvalue of the cluster. So a solve starts from the best
/// combination (Rayleigh-Ritz) of the last two eigenvectors, which extrapolates along a smooth flow, and of
/// `DynamicsMatrix::best_product`; the first solve starts from a `LeadingProduct`. The tolerance of the
/// residual is 3e-9 of the eigenvalue. The error of the eigenvalue is residual² / gap, always makes λ_min too
/// large, and is covered by `lower_bound`. With the tolerance 1e-7 the error reached 1e-9, so that a history
/// showed the different iterations of a different grid; below 3e-9 the products of a cold solve grow from 49
/// to 137 (m = 512, q = 10).
class SmallestEigensolver {
 public:
  /// Collective. `dynamics` must outlive this object; `update` it before `solve`.
  SmallestEigensolver(const DynamicsMatrix& dynamics, std::uint64_t seed);
  SmallestEigensolver(const SmallestEigensolver&) = delete;
  SmallestEigensolver& operator=(const SmallestEigensolver&) = delete;

  /// Collective. Starts from the stored eigenvectors; if there are none, from random numbers that do not
  /// depend on the ranks. Throws failure if the eigensolver does not converge.
  [[nodiscard]] SmallestEigenvalue solve();

  /// The last two eigenvectors found (or one, or none), newest first: m_r x q blocks one after the other, so
  /// m_r x 2q. They are the whole state: a run that restores them goes on as if it had not stopped.
  [[nodiscard]] const std::vector<double>& eigenvectors() const { return eigenvectors_; }
  /// Restores stored eigenvectors. Call it on all ranks with the same number of blocks; no blocks means no
  /// eigenvectors. Throws bad_input if the size is wrong. Not collective.
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

/// Collective. λ_max(D) (THEORY.md 4) by Krylov-Schur on products with D; each product needs q solves with U
/// and q solves with Uᵀ (prefix collapsed_). `dynamics` must have been updated at the parameters of `model`.
/// Prefix limit_lambda_ (EPS, 1e-10). While W is small the top of D is a cluster of q eigenvalues: one of
/// them is within the residual of the value, and the largest is above the value by at most the width of the
/// cluster.
[[nodiscard]] SpectralValue largest_dynamics_eigenvalue(const DynamicsMatrix& dynamics,
                                                        CollapsedModel& model);

}  // namespace theory
}  // namespace poise
