#pragma once

#include <memory>
#include <vector>

#include "poise/graph_solve/graph_operator.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace graph_solve {

/// One SNES for F(Z) = Z − h(ZS) = 0 over the nodes of all ranks, on the world. It has converged when
/// ‖f_n‖ ≤ rtol max_k ‖h_k‖ + atol for the worst node n. The default is newtonls with FGMRES, preconditioned
/// by graphperron for softmax weights; plain iteration is nrichardson with the line search basic, and every
/// other type of PETSc works. Options have the prefix `eq_`, and `eq_scalar_` for the scalar systems.
class GraphEquilibrium {
 public:
  /// Collective on the world. `equation` must outlive it; `perron` may be null.
  GraphEquilibrium(const GraphEquation& equation, std::shared_ptr<PerronVector> perron, double default_rtol);
  GraphEquilibrium(const GraphEquilibrium&) = delete;  // PETSc holds pointers to this object
  GraphEquilibrium& operator=(const GraphEquilibrium&) = delete;

  /// Collective on the world. `z`: the start on entry, the last iterate on return; `slopes`: of the last
  /// iterate. If the solve fails, the Outcome names the worst node and its degree.
  Outcome solve(const double* injection, double* z, double* slopes);

  [[nodiscard]] double rtol() const { return rtol_; }
  [[nodiscard]] SNES snes() const { return snes_.get(); }

 private:
  void set_callbacks();
  void compute_residual(Vec z, Vec residual);
  /// The residual of the worst node over its tolerance.
  double judge(const double* z, const double* residual);
  void prepare_linear_solve(Vec z);
  SNESConvergedReason test_convergence(Index iteration);

  const GraphEquation& equation_;
  GraphOperator operator_;
  VecHandle z_, residual_;
  SnesHandle snes_;
  const double* injection_ = nullptr;
  std::vector<double> h_, slopes_;
  GraphEquation::Worst worst_;
  double largest_ = 0.0;  // max_k ‖h_k‖
  double rtol_ = 0.0, atol_ = 0.0;
  Index max_iterations_ = 0, products_ = 0;
};

/// The adjoint (I − ∂H/∂Z)ᵀ Λ = R over the nodes of all ranks by one KSP on the world, THEORY.md 8.3, with
/// the same test: ‖r_n‖ ≤ rtol max_k ‖R_k‖ for the worst node. Options have the prefix `adj_`, and
/// `adj_scalar_`.
class GraphAdjoint {
 public:
  /// Collective on the world; see GraphEquilibrium.
  GraphAdjoint(const GraphEquation& equation, std::shared_ptr<PerronVector> perron, double default_rtol);
  GraphAdjoint(const GraphAdjoint&) = delete;
  GraphAdjoint& operator=(const GraphAdjoint&) = delete;

  /// Collective on the world. `lambda`: the start on entry, the solution on return.
  Outcome solve(const double* slopes, const double* rhs, double* lambda);
  [[nodiscard]] KSP ksp() const { return ksp_.get(); }

 private:
  /// right_ = R − Op Λ; its worst node.
  GraphEquation::Worst compute_residual(const double* rhs, const double* lambda);

  const GraphEquation& equation_;
  GraphOperator operator_;
  VecHandle right_, correction_;
  KspHandle ksp_;
  double rtol_ = 0.0;
};

}  // namespace graph_solve
}  // namespace poise
