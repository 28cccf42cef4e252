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

/// One SNES on F(Z) = Z − h(Z) of a panel of columns, converged by the worst column: ‖z − h(z)‖ ≤ rtol ‖h(z)‖
/// + atol for each. Its KSP works on the shell Jacobian I − ∂h/∂z, each linear solve to what the convergence
/// test needs. The SNES types of Poise find the panel by `of`.
class PanelSnes {
 public:
  /// What the options (with the prefix) may change.
  struct Defaults {
    std::string prefix = "eq_";
    std::string type = SNESNEWTONLS;
    double rtol = 1e-12;
    int max_iterations = 1000;
    bool search = false;                  ///< newtonls: backtracking instead of full steps
    std::string preconditioner = PCNONE;  ///< of the inner solver, on the right
    int restart = 0;                      ///< of GMRES; 0: PETSc's
    bool patient = true;                  ///< see SampleIteration
    int mixing = 0;                       ///< see SampleIteration
  };
  /// Collective on `comm` (grid.feature()). `map` must outlive it; `mean` may be null. Throws bad_input, on
  /// all ranks, where the options choose a type that does not suit the map.
  PanelSnes(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean, Index columns,
            const Defaults& defaults);
  PanelSnes(const PanelSnes&) = delete;  // PETSc holds pointers to it
  PanelSnes& operator=(const PanelSnes&) = delete;

  /// What a solve starts from and leaves behind for the next time: m_f x p, the states, or y = Wz for
  /// meanfield.
  struct Memory {
    double* block = nullptr;  ///< null: start cold, leave nothing
    bool warm = false;        ///< it holds something from an earlier solve of these samples
  };
  /// Collective. `injection` and `z`: m_f x p, p at most the columns. `z`: the start on entry, if there is no
  /// warm memory (meanfield then starts from y = 0); the last iterate on return. A NaN of the map becomes a
  /// failed Outcome.
  Outcome solve(Index p, const double* injection, double* z, Memory memory);
  Outcome solve(Index p, const double* injection, double* z) { return solve(p, injection, z, Memory()); }

  /// h at what the last `solve` returned (m_f x p), and the residual of column c there over ‖h‖.
  [[nodiscard]] const double* image() const { return h_.data(); }
  [[nodiscard]] double residual(Index c) const;
  /// Whether column c is at the tolerance.
  [[nodiscard]] bool solved(Index c) const;

  [[nodiscard]] double rtol() const { return rtol_; }
  [[nodiscard]] SNES snes() const { return snes_.get(); }
  /// The SNES type that the options chose.
  [[nodiscard]] const std::string& type() const { return type_; }

  // What SNES types of Poise need.
  /// The panel that a SNES, also one inside of another (npc, composite), works on. Throws bad_input, on all
  /// ranks, if there is none.
  static PanelSnes& of(SNES snes);
  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  [[nodiscard]] const EquilibriumMap& map() const { return map_; }
  [[nodiscard]] MeanField* mean() const { return operator_.mean(); }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] Index p() const { return p_; }
  [[nodiscard]] const double* injection() const { return injection_; }
  /// Of the outermost SNES: an inner one starts from its Vec.
  [[nodiscard]] const Memory& memory() const { return memory_; }
  [[nodiscard]] bool is_outermost(SNES snes) const { return snes == snes_.get(); }

  /// Largest ‖z − h‖/(rtol ‖h‖ + atol) of the columns, its column, and the smallest tolerance not yet met.
  struct Worst {
    double ratio = 0.0, residual = 0.0, tolerance = 0.0;
    Index column = 0;
    double frobenius = 0.0;  ///< ‖F‖
  };
  /// Collective. Compares z − h(z) = `residual` with these tolerances.
  Worst judge(const double* z, const double* residual, double rtol, double atol);
  /// The same right after F was computed at z.
  Worst judge_image(const double* residual, double rtol, double atol);
  /// Collective. F at z for a monitor, which no count contains.
  void show_residual(Vec z, Vec residual) {
    compute_residual(z, residual);
    --products_;
  }
  /// What a SNES type has multiplied past F and its Jacobian, a panel each.
  void count_products(Index count) { products_ += count; }

 private:
  static PetscErrorCode residual_callback(SNES snes, Vec z, Vec f, void* self);
  void compute_residual(Vec z, Vec residual);
  void prepare_linear_solve(Vec z);
  void linearise(Vec z);
  SNESConvergedReason test_convergence(Index iteration);
  void set_callbacks();
  /// Solves from what z_ holds; `before`: products so far.
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

}  // namespace poise
