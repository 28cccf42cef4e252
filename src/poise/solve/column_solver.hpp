#pragma once

#include <string>
#include <vector>

#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_operator.hpp"

namespace poise {

/// No residual r − Op x of a solve can be brought below about this times ‖x‖: that much rounding leaves of
/// the product alone. Where the inverse of Op is large (γ close to 1), so is ‖x‖ beside ‖r‖, and a tolerance
/// relative to ‖r‖ alone could never be met.
inline constexpr double attainable_residual = 64.0 * 0x1p-52;

/// Solves Op X = R for p columns at once with one KSP, where Op acts on every column alike (I − γS or its
/// transpose). Each column of R is scaled to norm 1 first, so one Krylov polynomial serves all columns
/// equally and the Frobenius norm that KSP controls bounds the WORST column: ‖r_c − Op x_c‖ ≤ rtol ‖r_c‖ +
/// attainable_residual ‖x_c‖ for every c, up to a factor of 2. The true residual is computed at the end;
/// where rounding kept it above twice the tolerance the remainder is solved for again (at most twice).
/// Default: GMRES(30) without preconditioner, all from options with the prefix (`adj_ksp_type`,
/// `adj_ksp_rtol`, …). The types of Poise, which iterate every column by itself (`meanfield`, `neumann`), get
/// the columns as they are, and judge each by its own norm; what they return is to be verified by the caller.
class ColumnSolver {
 public:
  /// What the options may change.
  struct Defaults {
    std::string type = KSPGMRES;
    std::string preconditioner = PCNONE;  ///< on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's
    int max_iterations = 1000;
    bool patient = true;  ///< see SampleIteration
    int mixing = 0;       ///< see SampleIteration
  };
  /// Collective on `comm`; each rank holds `rows` rows of the columns. `name` is for error messages. `panel`:
  /// what `apply` is, for the types and preconditioners that need to know; may be null. Throws bad_input, on
  /// all ranks, where the options choose one that does not suit it.
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol,
               const Defaults& defaults, PanelOperator* panel = nullptr);
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol)
      : ColumnSolver(comm, rows, columns, std::move(apply), std::move(apply_transpose), prefix, name,
                     default_rtol, Defaults()) {}
  ColumnSolver(const ColumnSolver&) = delete;  // PETSc holds pointers to it
  ColumnSolver& operator=(const ColumnSolver&) = delete;

  /// Collective. `rhs` and `x`: rows x p, column-major, p at most the columns; zero columns get a zero
  /// solution. `warm`: x holds a start on entry. A failed solve is reported in the Outcome (x is then not a
  /// solution): call `require`.
  Outcome solve(Index p, const double* rhs, double* x, bool warm = false);
  Outcome solve(const double* rhs, double* x, bool warm = false) { return solve(columns_, rhs, x, warm); }

  /// Op x of the last solve, rows x p: the product its residual was computed from. Not of Poise's own types.
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
  /// So far, those of preconditioners among them.
  [[nodiscard]] Index products() const;
  void run(Outcome& outcome);
  void load_scaled(const double* rhs);
  /// residual_ = rhs_ − Op x for the scaled problem; returns the worst column norm.
  double update_residual(const double* x, Index* worst);
  /// Whether the residual of every column is at the tolerance times `factor`, after update_residual.
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

}  // namespace poise
