#pragma once

#include <string>
#include <vector>

#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_operator.hpp"

namespace poise {
inline namespace solve {

/// The rounding of the product Op x alone is about this number times ‖x‖, so that no solve can make the
/// residual r − Op x smaller. If the inverse of Op is large (γ close to 1), then ‖x‖ is large compared with
/// ‖r‖, and a tolerance relative to ‖r‖ alone could never be met.
inline constexpr double attainable_residual = 64.0 * 0x1p-52;

/// Solves Op X = R for p columns at once with one KSP, where Op acts on every column alike (I − γS or its
/// transpose). Each column of R is first scaled to norm 1, so that one Krylov polynomial serves all columns
/// equally and the Frobenius norm that KSP controls bounds the worst column: ‖r_c − Op x_c‖ ≤ rtol ‖r_c‖ +
/// attainable_residual ‖x_c‖ for every c, up to a factor of 2. The true residual is computed at the end;
/// if rounding has kept it above twice the tolerance, the equation is solved again for the residual (at most
/// twice). Default: GMRES(30) without preconditioner; options with the prefix change it (`adj_ksp_type`,
/// `adj_ksp_rtol`, …). The types of Poise (`meanfield`, `neumann`) iterate every column by itself. They get
/// the columns unscaled and judge each by its own norm; the caller must verify their results.
class ColumnSolver {
 public:
  /// Defaults of the options.
  struct Defaults {
    std::string type = KSPGMRES;
    std::string preconditioner = PCNONE;  ///< on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's default
    int max_iterations = 1000;
    bool patient = true;  ///< see SampleIteration
    int mixing = 0;       ///< see SampleIteration
  };
  /// Collective on `comm`; each rank holds `rows` rows of the columns. `name` is for error messages. `panel`:
  /// the operator behind `apply`, for the types and preconditioners of Poise; may be null. Throws bad_input
  /// on all ranks if the options choose a type that does not suit it.
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol,
               const Defaults& defaults, PanelOperator* panel = nullptr);
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol)
      : ColumnSolver(comm, rows, columns, std::move(apply), std::move(apply_transpose), prefix, name,
                     default_rtol, Defaults()) {}
  ColumnSolver(const ColumnSolver&) = delete;  // PETSc holds pointers to this object
  ColumnSolver& operator=(const ColumnSolver&) = delete;

  /// Collective. `rhs` and `x`: rows x p, column-major, p at most the columns of the solver; a zero column
  /// gets a zero solution. `warm`: x holds the start on entry. If the solve fails, x is not a solution and
  /// the Outcome says so: call `require`.
  Outcome solve(Index p, const double* rhs, double* x, bool warm = false);
  Outcome solve(const double* rhs, double* x, bool warm = false) { return solve(columns_, rhs, x, warm); }

  /// Op x of the last solve, rows x p, from which its residual was computed. Not for Poise's own types.
  [[nodiscard]] const double* image() const { return product_.data(); }
  [[nodiscard]] KSP ksp() const { return ksp_.get(); }
  [[nodiscard]] Mat mat() const { return operator_.get(); }
  /// The types that the options chose.
  [[nodiscard]] std::string type() const { return type_of(ksp_.get()); }
  [[nodiscard]] std::string preconditioner() const;
  [[nodiscard]] double rtol() const { return rtol_; }

 private:
  /// Whether the type iterates every column by itself.
  [[nodiscard]] bool by_columns() const { return scaled_rhs_.empty(); }
  Outcome solve_by_columns(const double* rhs, double* x, bool warm);
  Outcome solve_as_one(const double* rhs, double* x, bool warm);
  /// Number of products so far, including the products of preconditioners.
  [[nodiscard]] Index products() const;
  void run(Outcome& outcome);
  void load_scaled(const double* rhs);
  /// residual_ = rhs_ − Op x for the scaled problem; returns the worst column norm.
  double update_residual(const double* x, Index* worst);
  /// Whether the residual of every column is within `factor` times the tolerance; call it after
  /// update_residual.
  [[nodiscard]] bool is_solved(const double* x, double factor);

  MPI_Comm comm_;
  Index rows_;
  Index columns_, p_;
  PanelOperator* panel_;
  LinearMap apply_;
  std::string name_;
  ShellOperator operator_;
  KspHandle ksp_;
  VecHandle rhs_, correction_;
  std::vector<double> scaled_rhs_, norms_, residual_norms_, solution_norms_, product_;
  double rtol_ = 0.0;
  Index applications_ = 0;
};

}  // namespace solve
}  // namespace poise
