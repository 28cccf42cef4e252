#pragma once

#include <memory>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/solve/column_solver.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {

/// Finds the equilibria z* = h(z*) of a panel of p samples with SNES on F(Z) = Z − h(Z), options prefix
/// `eq_`. Converged when ‖z − h(z)‖ ≤ eq_snes_rtol ‖h(z)‖ + eq_snes_atol for the WORST sample (not relative
/// to the start: only so can a good start save work). Default: Newton with full steps, GMRES on the shell
/// Jacobian I − ∂h/∂z, each linear solve to what the convergence test needs; for an affine h that is one step
/// and a check of its result.
class EquilibriumSolver {
 public:
  /// Collective on `comm` (grid.feature()). `map` must outlive the solver; p columns a panel. `default_rtol`:
  /// of -eq_snes_rtol.
  EquilibriumSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol = 1e-12);
  EquilibriumSolver(const EquilibriumSolver&) = delete;  // PETSc holds pointers to it
  EquilibriumSolver& operator=(const EquilibriumSolver&) = delete;

  /// Collective. `injection` and `z`: m_f x p, p at most the columns of a panel. `z` is the start on entry
  /// and the equilibria on return, `slopes` (slope_rows x p) where the map is linearised there. A failed
  /// solve is reported in the Outcome: call `require`. A NaN of the map becomes a domain error of SNES.
  Outcome solve(Index p, const double* injection, double* z, double* slopes);

  [[nodiscard]] double rtol() const { return rtol_; }
  [[nodiscard]] SNES snes() const { return snes_.get(); }

 private:
  void compute_residual(Vec z, Vec residual);
  void prepare_linear_solve(Vec z);
  SNESConvergedReason test_convergence(Index iteration);
  /// Largest ‖z − h‖/(rtol ‖h‖ + atol) of the columns, its column, and the smallest tolerance not yet met.
  struct Worst {
    double ratio = 0.0, residual = 0.0, tolerance = 0.0;
    Index column = 0;
  };
  Worst worst_column(const double* z, const double* residual);

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  Index size_;
  const double* injection_ = nullptr;
  VecHandle z_, residual_;
  std::unique_ptr<ShellOperator> jacobian_;
  SnesHandle snes_;
  std::vector<double> padded_injection_, slopes_, h_, residual_norms_, h_norms_;
  double rtol_ = 0.0, atol_ = 0.0;
  Index max_iterations_ = 0;
  Index applications_ = 0;
};

/// The adjoint λ of a panel: (I − ∂h/∂z)ᵀ λ = rhs at the equilibria z (theory.md 3.2), by KSP with prefix
/// `adj_`. Default tolerance: that of the equilibria, because the gradient's error is the sum of both.
class AdjointSolver {
 public:
  /// Collective on `comm` (grid.feature()).
  AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol);
  /// Collective. slopes: slope_rows x p, rhs and lambda: m_f x p, p at most the columns of a panel.
  Outcome solve(Index p, const double* slopes, const double* rhs, double* lambda);

 private:
  Index rows_, slope_rows_, columns_;
  const double* slopes_ = nullptr;
  std::vector<double> padded_slopes_, padded_rhs_, padded_lambda_;
  ColumnSolver solver_;
};

}  // namespace poise
