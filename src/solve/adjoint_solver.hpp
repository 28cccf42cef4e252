#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_solver.hpp"
#include "poise/solve/iterations.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {

/// How gradients go back through the equilibrium. Option -backward.
struct Backward {
  enum class Kind { exact, neumann };
  Kind kind = Kind::exact;
  Index terms =
      1;  ///< neumann: λ = Σ_{j < terms} ((∂h/∂z)ᵀ)ʲ r; 1 is the one-step ("Jacobian-free") gradient
  [[nodiscard]] bool exact() const { return kind == Kind::exact; }
};

/// The adjoint λ of a panel: (I − ∂h/∂z)ᵀ λ = r at the equilibria (theory.md 3.2), options prefix `adj_`.
/// Default tolerance: that of the equilibria, because the gradient's error is the sum of both. -adj_ksp_type:
/// `meanfield` and `neumann` iterate every sample by itself and let finished ones leave; PETSc's types
/// (`gmres` is the default here) solve a panel as one system; -adj_pc_type `meanfield` preconditions them,
/// `samplelu` is a direct solve of every sample. Where samples fail a ladder follows (-adj_ladder): after
/// meanfield the same with Anderson mixing of every sample's own iterates, then GMRES (prefix adj_gmres_).
/// True residuals are computed at the end.
class AdjointSolver {
 public:
  /// Collective on `comm` (grid.feature()). `mean`: shared with the equilibria, or null for one of its own.
  AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol,
                std::shared_ptr<MeanField> mean = nullptr, const std::string& default_type = KSPGMRES,
                const Backward& backward = {});
  AdjointSolver(const AdjointSolver&) = delete;
  AdjointSolver& operator=(const AdjointSolver&) = delete;

  /// Collective. slopes: slope_rows x p, rhs and lambda: m_f x p, p at most the columns of a panel. `warm`:
  /// lambda holds a start on entry. An inexact backward pass has no residual (NaN) and says so in the reason.
  Outcome solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm = false);

  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] double rtol() const { return main_->solver.rtol(); }

 private:
  void update_mean_field(Index p, const double* slopes);
  Outcome truncated(Index p, const double* slopes, const double* rhs, double* lambda);
  Outcome first_attempt(Index p, const double* slopes, const double* rhs, double* lambda, bool warm);
  std::vector<Index> verify(Index p, const double* slopes, const double* rhs, const double* lambda,
                            Outcome& outcome);
  /// The ladder; returns what no rung has solved.
  std::vector<Index> climb(std::vector<Index> left, Index p, const double* slopes, const double* rhs,
                           double* lambda, Outcome& outcome);
  /// Rungs, on the samples in left_slopes_ and left_rhs_, into left_lambda_: the mean-field iteration with
  /// mixing, and GMRES.
  std::string mix(Index p, Outcome& outcome);
  std::string run_gmres(Index p, Outcome& outcome);
  [[nodiscard]] Index rung_width(Index p) const;

  /// A ColumnSolver with blocks of its own width.
  struct Krylov {
    Krylov(AdjointSolver& owner, Index columns, const std::string& prefix, double rtol,
           const ColumnSolver::Defaults& defaults);
    Outcome solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm);
    Index rows, slope_rows, columns;
    std::vector<double> slopes_, rhs_, lambda_;
    PanelPreconditioner preconditioner;
    ColumnSolver solver;
  };

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  std::shared_ptr<MeanField> mean_;
  Backward backward_;
  std::unique_ptr<Krylov> main_;
  std::map<Index, std::unique_ptr<MeanFieldAdjoint>> mixed_;  // by width, as are the rungs
  std::map<Index, std::unique_ptr<Krylov>> rungs_;
  std::string type_;
  bool ladder_ = true, patient_ = false, preconditioned_ = false;
  std::unique_ptr<MeanFieldAdjoint> mean_iteration_;
  std::unique_ptr<NeumannIteration> neumann_;
  std::vector<double> image_, norms_, mean_slopes_, left_slopes_, left_rhs_, left_lambda_;
};

}  // namespace poise
