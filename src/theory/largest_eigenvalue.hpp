#pragma once

#include <cstdint>
#include <string>

#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/theory/dynamics_matrix.hpp"

namespace poise {

/// The largest eigenvalue of a symmetric operator with the outcome of the solve that found it.
struct LargestEigenvalue {
  double value = 0.0;
  double residual = 0.0;  ///< ‖Mx − value·x‖₂ of the unit eigenvector, recomputed, not estimated
  int iterations = 0;     ///< restarts of the eigensolver
  Index products = 0;     ///< products with the operator
  int reason = 0;         ///< EPSConvergedReason
};

/// The largest eigenvalue of a symmetric operator on blocks m_r x q by Krylov-Schur; options under a prefix
/// of EPS. Every solve starts from the same random numbers, which do not depend on the ranks, so what is
/// found is a function of the operator and the seed alone. The residual goes to 1e-8 of the eigenvalue; an
/// eigenvalue larger than the one found, if there is one, is nearer than that to it, but for a start without
/// any part along its vector.
class LargestEigensolver {
 public:
  /// Collective. Blocks are laid out as those of `shape`, which must outlive this object. `what`: what the
  /// eigenvalue is, for messages. `prefix`: of the options, with the underscore.
  LargestEigensolver(const DynamicsMatrix& shape, const LinearMap& apply, std::string what,
                     const std::string& prefix, std::uint64_t seed);
  LargestEigensolver(const LargestEigensolver&) = delete;
  LargestEigensolver& operator=(const LargestEigensolver&) = delete;

  /// Collective. Throws failure if the eigensolver does not converge or the eigenvalue is not finite.
  [[nodiscard]] LargestEigenvalue solve();

 private:
  void set_start();

  const DynamicsMatrix& shape_;
  std::string what_, prefix_;
  std::uint64_t seed_;
  Index products_ = 0;
  ShellOperator operator_;
  EpsHandle eps_;
  VecHandle vector_;
};

}  // namespace poise
