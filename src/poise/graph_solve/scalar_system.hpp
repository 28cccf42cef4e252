#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/graph_solve/graph_matrix.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {
inline namespace graph_solve {

/// A system of one unknown a node, which preconditions the equilibrium of a graph (THEORY.md 8.5 to 8.7):
///   c_j − t d_j Σ_i Sᵀ_ji c_i = r_j,   or its transpose, c − t S (d ∘ c) = r,
/// with S^K in place of S if the matrix has K hops: the products are exact, and the system with S itself
/// preconditions them, because S^K has far more entries. If S can be symmetrised, one symmetric positive
/// definite matrix I − t D^½ S_sym D^½ serves both, also where a d_j is 0, and the default is CG; for
/// directed graphs it is GMRES. The default preconditioner is hypre's BoomerAMG, or GAMG if PETSc has no
/// hypre. Options have the prefix given, for example `eq_scalar_ksp_rtol`.
class ScalarSystem {
 public:
  /// Collective on grid.sample(). `matrix` must outlive it.
  ScalarSystem(const ProcessGrid& grid, const GraphMatrix& matrix, const std::string& prefix,
               bool transposed);

  /// Collective on grid.sample(). `factor`: t, |t| < 1; `slopes`: d ≥ 0 of the own nodes, null for ones.
  void update(double factor, const double* slopes);
  /// Collective on grid.sample(), after `update`. Numbers of the own nodes; r and c must not overlap. Throws
  /// failure if the solver breaks down; a solve that only reaches its largest number of iterations is no
  /// error of a preconditioner.
  void solve(const double* r, double* c);

  [[nodiscard]] KSP ksp() const { return ksp_.get(); }
  /// Iterations of all solves so far.
  [[nodiscard]] Index iterations() const { return iterations_; }

 private:
  void run();
  /// The matrix I − t L Sᵀ R of the system, or its transpose, with K products for Sᵀ.
  void apply(const double* c, double* out);
  void set_scales(const double* slopes);
  /// out = S_sym x, where x is overwritten.
  void multiply_symmetric(double* x, double* out);
  /// The scaling of node k by which Sᵀ, or S if transposed, becomes S_sym.
  [[nodiscard]] double scale(Index k) const;

  const GraphMatrix& matrix_;
  bool transposed_;
  std::string prefix_;
  double factor_ = 0.0;
  bool constant_ = false;                    // whether the system of factor_ and slopes 1 is set up
  std::vector<double> roots_;                // D^½; empty: ones
  std::vector<double> left_, right_scales_;  // the diagonals L and R
  std::vector<double> scaled_, work_, inner_;
  MatHandle system_;                       // with one product
  std::unique_ptr<ShellOperator> powers_;  // with K products; null if K = 1
  KspHandle ksp_;
  VecHandle right_, solution_;
  Index iterations_ = 0;
};

}  // namespace graph_solve
}  // namespace poise
