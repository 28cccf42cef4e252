#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {

/// One of PETSc's SNES on F(Z) = Z − h(Z) of a panel of columns as one system, converged by the worst column.
/// The inner KSP works on the shell Jacobian I − ∂h/∂z, each linear solve to what the convergence test needs.
class PanelSnes {
 public:
  /// What the options (with the prefix) may change.
  struct Defaults {
    std::string prefix = "eq_";
    std::string type = SNESNEWTONLS;
    double rtol = 1e-12;
    bool search = false;                  ///< newtonls: backtracking instead of full steps
    std::string preconditioner = PCNONE;  ///< of the inner solver, on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's
  };
  /// Collective on `comm` (grid.feature()). `map` and `mean` (may be null) must outlive it.
  PanelSnes(MPI_Comm comm, const EquilibriumMap& map, const MeanField* mean, Index columns,
            const Defaults& defaults);
  PanelSnes(const PanelSnes&) = delete;  // PETSc holds pointers to it
  PanelSnes& operator=(const PanelSnes&) = delete;

  /// Collective. `injection` and `z`: m_f x p, p at most the columns (the rest is filled with zeros). `z`:
  /// the start on entry, the last iterate on return. A NaN of the map becomes a failed Outcome.
  Outcome solve(Index p, const double* injection, double* z);

  /// h at what the last `solve` returned: m_f x columns.
  [[nodiscard]] const double* image() const { return h_.data(); }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] double rtol() const { return rtol_; }
  [[nodiscard]] double atol() const { return atol_; }
  [[nodiscard]] Index max_iterations() const { return max_iterations_; }
  /// The SNES type that the options chose.
  [[nodiscard]] std::string type() const;
  /// The type of the inner solver's preconditioner that the options chose.
  [[nodiscard]] std::string preconditioner() const;

 private:
  void compute_residual(Vec z, Vec residual);
  void prepare_linear_solve(Vec z);
  void linearise(Vec z);
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
  PanelPreconditioner preconditioner_;
  VecHandle z_, residual_;
  std::unique_ptr<ShellOperator> jacobian_;
  SnesHandle snes_;
  std::vector<double> padded_injection_, slopes_, h_, residual_norms_, h_norms_;
  double rtol_ = 0.0, atol_ = 0.0;
  Index max_iterations_ = 0;
  Index applications_ = 0;
};

}  // namespace poise
