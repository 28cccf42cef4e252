#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/column_solver.hpp"
#include "poise/solve/panel_operator.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace solve {

/// How gradients are propagated back through the equilibrium. Option -backward.
struct Backward {
  enum class Kind { exact, neumann };
  Kind kind = Kind::exact;
  /// neumann: λ = Σ_{j < terms} ((∂h/∂z)ᵀ)ʲ r; 1 gives the one-step ("Jacobian-free") gradient.
  Index terms = 1;
  [[nodiscard]] bool exact() const { return kind == Kind::exact; }
};

/// The adjoint λ of a panel by KSP: (I − ∂h/∂z)ᵀ λ = r at the equilibria (THEORY.md 3.2), options prefix
/// `adj_`. Its default tolerance equals the tolerance of the equilibria, because the error of the gradient is
/// the sum of both errors. -adj_ksp_type: `meanfield` and `neumann` iterate every sample by itself and let
/// finished ones leave; PETSc's types (`gmres` is the default here) solve a panel as one system. -adj_pc_type
/// `meanfield` and `perron` (softmax weights) precondition them, `samplelu` is a direct solve of every
/// sample. Samples that fail go up a ladder of other KSP (-adj_ladder): first, after meanfield and after
/// neumann with perron, the same iteration with Anderson mixing of every sample's own iterates (prefix
/// adj_mixed_); then GMRES (adj_gmres_). True residuals are computed at the end.
class AdjointSolver {
 public:
  /// Defaults of the options.
  struct Defaults {
    std::string type = KSPGMRES;
    std::string preconditioner = PCNONE;
  };
  /// Collective on `comm` (grid.feature()). `mean`: the mean field of the equilibria, to share it; null to
  /// make a new one.
  AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol,
                std::shared_ptr<MeanField> mean, const Defaults& defaults, const Backward& backward = {});
  AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol,
                std::shared_ptr<MeanField> mean = nullptr)
      : AdjointSolver(comm, map, columns, default_rtol, std::move(mean), Defaults()) {}
  AdjointSolver(const AdjointSolver&) = delete;
  AdjointSolver& operator=(const AdjointSolver&) = delete;

  /// Collective. slopes: slope_rows x p, rhs and lambda: m_f x p, p at most the columns of a panel. `warm`:
  /// lambda holds the start on entry. An inexact backward pass has the residual NaN, and its reason says that
  /// it is inexact.
  Outcome solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm = false);

  /// The KSP type that the options chose.
  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] double rtol() const { return main_->solver.rtol(); }

 private:
  /// A KSP and its operator.
  struct PanelKsp {
    PanelKsp(AdjointSolver& owner, Index columns, const std::string& prefix, double rtol,
             const ColumnSolver::Defaults& defaults);
    Outcome solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm);
    PanelOperator op;
    ColumnSolver solver;
  };
  struct Rung {
    std::string prefix;
    ColumnSolver::Defaults defaults;
  };
  [[nodiscard]] std::vector<Rung> ladder() const;
  /// As in EquilibriumSolver.
  PanelKsp& rung(const Rung& rung, Index p);
  std::vector<Index> climb(std::vector<Index> left, Index p, const double* slopes, const double* rhs,
                           double* lambda, Outcome& outcome);
  Outcome truncated(Index p, const double* slopes, const double* rhs, double* lambda);
  std::vector<Index> verify(Index p, const double* slopes, const double* rhs, const double* lambda,
                            Outcome& outcome);

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_;
  std::shared_ptr<MeanField> mean_;
  Backward backward_;
  bool ladder_ = true;
  std::unique_ptr<PanelKsp> main_;
  std::string type_;
  std::map<std::pair<std::string, Index>, std::unique_ptr<PanelKsp>> rungs_;
  std::vector<double> image_, norms_, left_slopes_, left_rhs_, left_lambda_;
};

}  // namespace solve
}  // namespace poise
