#pragma once

#include <string>
#include <vector>

#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/outcome.hpp"

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
/// `adj_ksp_rtol`, …).
class ColumnSolver {
 public:
  /// What the options may change.
  struct Defaults {
    std::string type = KSPGMRES;
    std::string preconditioner = PCNONE;  ///< on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's
  };
  /// Collective on `comm`; each rank holds `rows` rows of the columns. `name` is for error messages.
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol,
               const Defaults& defaults);
  ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply, LinearMap apply_transpose,
               const std::string& prefix, const std::string& name, double default_rtol)
      : ColumnSolver(comm, rows, columns, std::move(apply), std::move(apply_transpose), prefix, name,
                     default_rtol, Defaults()) {}
  ColumnSolver(const ColumnSolver&) = delete;  // PETSc holds pointers to it
  ColumnSolver& operator=(const ColumnSolver&) = delete;

  /// Collective. `rhs` and `x`: rows x columns, column-major; zero columns get a zero solution. `warm`: x
  /// holds a start on entry. A failed solve is reported in the Outcome (x is then not a solution): call
  /// `require`.
  Outcome solve(const double* rhs, double* x, bool warm = false);

  /// Op x of the last solve, rows x columns: the product its residual was computed from.
  [[nodiscard]] const double* image() const { return product_.data(); }
  [[nodiscard]] KSP ksp() const { return ksp_.get(); }
  [[nodiscard]] Mat mat() const { return operator_.get(); }
  /// The types that the options chose.
  [[nodiscard]] std::string type() const;
  [[nodiscard]] std::string preconditioner() const;
  [[nodiscard]] Index max_iterations() const { return max_iterations_; }
  [[nodiscard]] double rtol() const { return rtol_; }

 private:
  void load_scaled(const double* rhs);
  /// residual_ = rhs_ − Op x for the scaled problem; returns the worst column norm.
  double update_residual(const double* x, Index* worst);
  /// Whether the residual of every column is at the tolerance times `factor`, after update_residual.
  [[nodiscard]] bool is_solved(const double* x, double factor);

  MPI_Comm comm_;
  Index rows_;
  Index columns_;
  LinearMap apply_;
  std::string name_;
  ShellOperator operator_;
  KspHandle ksp_;
  VecHandle rhs_, correction_;
  std::vector<double> scaled_rhs_, norms_, residual_norms_, solution_norms_, product_;
  double rtol_ = 0.0;
  Index max_iterations_ = 0;
  Index applications_ = 0;
};

}  // namespace poise
