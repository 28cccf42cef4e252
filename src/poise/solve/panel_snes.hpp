#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_operator.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace solve {

/// One SNES for F(Z) = Z − h(Z) of a panel of columns. It has converged when ‖z − h(z)‖ ≤ rtol ‖h(z)‖ + atol
/// for every column. Its KSP works on the shell Jacobian I − ∂h/∂z, and each linear solve is as accurate as
/// the convergence test needs. The SNES types of Poise find the panel by `of`.
class PanelSnes {
 public:
  /// Defaults of the options with the prefix.
  struct Defaults {
    std::string prefix = "eq_";
    std::string type = SNESNEWTONLS;
    double rtol = 1e-12;
    int max_iterations = 1000;
    bool search = false;                  ///< newtonls: backtracking instead of full steps
    std::string preconditioner = PCNONE;  ///< of the KSP, on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's
    bool patient = true;                  ///< see SampleIteration
    int mixing = 0;                       ///< see SampleIteration
  };
  /// Collective on `comm` (grid.feature()). `map` must outlive this object; `mean` may be null. Throws
  /// bad_input on all ranks if the options choose a type that does not suit the map.
  PanelSnes(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean, Index columns,
            const Defaults& defaults);
  PanelSnes(const PanelSnes&) = delete;  // PETSc holds pointers to this object
  PanelSnes& operator=(const PanelSnes&) = delete;

  /// What a solve starts from and stores for the next solve: m_f x p, the states, or y = Wz for meanfield.
  struct Memory {
    double* block = nullptr;  ///< null: start cold and store nothing
    bool warm = false;        ///< the block holds the result of an earlier solve of these samples
  };
  /// Collective. `injection` and `z`: m_f x p, p at most the columns. `z`: the start on entry, if there is no
  /// warm memory (meanfield then starts from y = 0); the last iterate on return. If the map gives a NaN, the
  /// Outcome is a failure.
  Outcome solve(Index p, const double* injection, double* z, Memory memory);
  Outcome solve(Index p, const double* injection, double* z) { return solve(p, injection, z, Memory()); }

  /// h at the states of the last `solve` (m_f x p), and the residual of column c there divided by ‖h‖.
  [[nodiscard]] const double* image() const { return h_.data(); }
  [[nodiscard]] double residual(Index c) const;
  /// Whether the residual of column c is within the tolerance.
  [[nodiscard]] bool solved(Index c) const;

  [[nodiscard]] double rtol() const { return rtol_; }
  [[nodiscard]] SNES snes() const { return snes_.get(); }
  /// The SNES type that the options chose.
  [[nodiscard]] const std::string& type() const { return type_; }

  // For the SNES types of Poise.
  /// The panel that a SNES works on, also if it is inside another SNES (npc, composite). Throws bad_input on
  /// all ranks if there is none.
  static PanelSnes& of(SNES snes);
  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  [[nodiscard]] const EquilibriumMap& map() const { return map_; }
  [[nodiscard]] MeanField* mean() const { return operator_.mean(); }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] Index p() const { return p_; }
  [[nodiscard]] const double* injection() const { return injection_; }
  /// The memory of the outermost SNES; an inner SNES starts from its Vec.
  [[nodiscard]] const Memory& memory() const { return memory_; }
  [[nodiscard]] bool is_outermost(SNES snes) const { return snes == snes_.get(); }

  /// The largest ratio ‖z − h‖/(rtol ‖h‖ + atol) of all columns, with its column, and the smallest tolerance
  /// that is not met.
  struct Worst {
    double ratio = 0.0, residual = 0.0, tolerance = 0.0;
    Index column = 0;
    double frobenius = 0.0;  ///< ‖F‖
  };
  /// Collective. Compares `residual` = z − h(z) with these tolerances.
  Worst judge(const double* z, const double* residual, double rtol, double atol);
  /// As `judge`, for the z at which F was computed last.
  Worst judge_image(const double* residual, double rtol, double atol);
  /// Collective. Computes F at z for a monitor, without counting the product.
  void show_residual(Vec z, Vec residual) {
    compute_residual(z, residual);
    --products_;
  }
  /// Adds products with a panel that a SNES type has taken itself, not through F or its Jacobian.
  void count_products(Index count) { products_ += count; }

 private:
  static PetscErrorCode residual_callback(SNES snes, Vec z, Vec f, void* self);
  void compute_residual(Vec z, Vec residual);
  void prepare_linear_solve(Vec z);
  void linearise(Vec z);
  SNESConvergedReason test_convergence(Index iteration);
  void set_callbacks();
  /// Solves from the start in z_; `before`: the number of products before.
  Outcome run(Index before);

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  Index columns_, size_, p_ = 0;
  const double* injection_ = nullptr;
  Memory memory_;
  PanelOperator operator_;
  VecHandle z_, residual_;
  std::unique_ptr<ShellOperator> jacobian_;
  SnesHandle snes_;
  std::string type_;
  Worst worst_;
  std::vector<double> slopes_, h_, residual_norms_, h_norms_;
  double rtol_ = 0.0, atol_ = 0.0;
  Index max_iterations_ = 0;
  Index products_ = 0;
};

}  // namespace solve
}  // namespace poise
