#include "poise/graph_solve/graph_equilibrium.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/column_solver.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace graph_solve {
namespace {

/// Default of the absolute tolerance: an equilibrium may be 0, to which no tolerance is relative.
constexpr double smallest_state = 1e-30;
constexpr int restart = 30;
/// How far a linear solve of Newton's method reduces the residual of a nonlinear map.
constexpr double newton_forcing = 1e-3;

void set_defaults(KSP ksp, bool perron, double rtol) {
  check(KSPSetType(ksp, KSPFGMRES));
  check(KSPGMRESSetRestart(ksp, restart));
  check(KSPSetTolerances(ksp, rtol, petsc_unchanged, petsc_unchanged, 1000));
  PC pc = nullptr;
  check(KSPGetPC(ksp, &pc));
  check(PCSetType(pc, perron ? pc_graph_perron : PCNONE));
}

/// KSP controls the norm over all nodes. What this norm may be so that the norm of the worst node is
/// `tolerance`, if the residual keeps its shape; if it does not, the solve is repeated from its result.
double norm_for(double tolerance, double norm, double worst) {
  return 0.5 * tolerance * (worst > 0.0 ? std::max(1.0, norm / worst) : 1.0);
}

void set_target(KSP ksp, double target) {
  PetscReal rtol = 0.0;
  PetscReal divergence = 0.0;
  PetscInt most = 0;
  check(KSPGetTolerances(ksp, &rtol, nullptr, &divergence, &most));
  check(KSPSetTolerances(ksp, rtol, target, divergence, most));
}

}  // namespace

GraphEquilibrium::GraphEquilibrium(const GraphEquation& equation, std::shared_ptr<PerronVector> perron,
                                   double default_rtol)
    : equation_(equation),
      operator_(equation, perron, false),
      z_(create_vec(equation.grid().world(), equation.local_size())),
      residual_(duplicate(z_.get())),
      h_(static_cast<std::size_t>(equation.local_size())),
      slopes_(static_cast<std::size_t>(equation.map().slope_rows() * equation.local_nodes())) {
  register_solver_types();
  register_graph_types();
  check(SNESCreate(equation.grid().world(), snes_.out()));
  check(SNESSetOptionsPrefix(snes_.get(), "eq_"));
  check(SNESSetType(snes_.get(), SNESNEWTONLS));
  check(SNESSetTolerances(snes_.get(), smallest_state, default_rtol, petsc_unchanged, 100000,
                          largest_petsc_int));
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  check(KSPSetOperators(ksp, operator_.mat(), operator_.mat()));  // where its PC looks while it reads options
  set_defaults(ksp, perron != nullptr, equation.map().linear() ? 1e-15 : newton_forcing);
  set_callbacks();
  set_from_options(snes_.get());
  precondition_on_the_right(ksp);
  PetscInt most = 0;
  check(SNESGetTolerances(snes_.get(), &atol_, &rtol_, nullptr, &most, nullptr));
  max_iterations_ = most;
}

void GraphEquilibrium::set_callbacks() {
  check(SNESSetFunction(
      snes_.get(), residual_.get(),
      +[](SNES, Vec z, Vec f, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<GraphEquilibrium*>(self)->compute_residual(z, f); });
      },
      this));
  check(SNESSetJacobian(
      snes_.get(), operator_.mat(), operator_.mat(),
      +[](SNES, Vec z, Mat, Mat, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<GraphEquilibrium*>(self)->prepare_linear_solve(z); });
      },
      this));
  check(SNESSetConvergenceTest(
      snes_.get(),
      +[](SNES, PetscInt iteration, PetscReal, PetscReal, PetscReal, SNESConvergedReason* reason,
          void* self) -> PetscErrorCode {
        return guarded([&] { *reason = static_cast<GraphEquilibrium*>(self)->test_convergence(iteration); });
      },
      this, nullptr));
}

void GraphEquilibrium::compute_residual(Vec z, Vec residual) {
  ++products_;
  const ReadArray in(z);
  WriteArray out(residual);
  equation_.apply(in.data(), injection_, h_.data());
  for (Index i = 0; i < equation_.local_size(); ++i) out[i] = in[i] - h_[i];
}

double GraphEquilibrium::judge(const double* z, const double* residual) {
  for (Index i = 0; i < equation_.local_size(); ++i) h_[i] = z[i] - residual[i];
  worst_ = equation_.worst(residual);
  largest_ = equation_.worst(h_.data()).norm;
  const double tolerance = rtol_ * largest_ + atol_;
  return std::isfinite(tolerance) ? worst_.norm / tolerance : std::nan("");
}

void GraphEquilibrium::prepare_linear_solve(Vec z) {
  Vec f = nullptr;
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const ReadArray state(z);
  const ReadArray residual(f);
  (void)judge(state.data(), residual.data());
  equation_.linearise(state.data(), h_.data(), slopes_.data());
  operator_.linearise(slopes_.data());
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  set_target(ksp, norm_for(rtol_ * largest_ + atol_, equation_.norm(residual.data()), worst_.norm));
}

SNESConvergedReason GraphEquilibrium::test_convergence(Index iteration) {
  Vec z = nullptr;
  Vec f = nullptr;
  check(SNESGetSolution(snes_.get(), &z));
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const double ratio = judge(ReadArray(z).data(), ReadArray(f).data());
  if (std::isnan(ratio)) return function_not_finite;
  if (ratio <= 1.0) return SNES_CONVERGED_FNORM_RELATIVE;
  return iteration >= max_iterations_ ? SNES_DIVERGED_MAX_IT : SNES_CONVERGED_ITERATING;
}

Outcome GraphEquilibrium::solve(const double* injection, double* z, double* slopes) {
  const Index before = products_ + operator_.products();
  injection_ = injection;
  const PlacedArray in_place(z_.get(), z);
  check(SNESSolve(snes_.get(), nullptr, z_.get()));
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscInt iterations = 0;
  PetscInt linear = 0;
  const char* text = nullptr;
  check(SNESGetConvergedReason(snes_.get(), &reason));
  check(SNESGetConvergedReasonString(snes_.get(), &text));
  check(SNESGetIterationNumber(snes_.get(), &iterations));
  check(SNESGetLinearSolveIterations(snes_.get(), &linear));
  // Not every type of PETSc ends with F at its solution, so F is computed here.
  compute_residual(z_.get(), residual_.get());
  const double ratio = judge(z, ReadArray(residual_.get()).data());
  equation_.linearise(z, h_.data(), slopes);
  const bool converged = reason > 0 && ratio <= 1.0;
  return {.solve = "equilibrium of the graph (eq_)",
          .reason = text,
          .converged = converged,
          .iterations = std::max(iterations, linear),
          .products = products_ + operator_.products() - before,
          .residual = largest_ > 0.0 ? worst_.norm / largest_ : worst_.norm,
          .worst_sample = worst_.node,
          .place = converged ? "" : equation_.describe(worst_.node)};
}

GraphAdjoint::GraphAdjoint(const GraphEquation& equation, std::shared_ptr<PerronVector> perron,
                           double default_rtol)
    : equation_(equation),
      operator_(equation, perron, true),
      right_(create_vec(equation.grid().world(), equation.local_size())),
      correction_(duplicate(right_.get())) {
  register_solver_types();
  register_graph_types();
  check(KSPCreate(equation.grid().world(), ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), "adj_"));
  check(KSPSetOperators(ksp_.get(), operator_.mat(), operator_.mat()));
  set_defaults(ksp_.get(), perron != nullptr, default_rtol);
  set_from_options(ksp_.get());
  precondition_on_the_right(ksp_.get());
  PetscReal divergence = 0.0;
  PetscInt most = 0;
  check(KSPGetTolerances(ksp_.get(), &rtol_, nullptr, &divergence, &most));
  check(KSPSetTolerances(ksp_.get(), 1e-15, petsc_unchanged, divergence, most));
}

GraphEquation::Worst GraphAdjoint::compute_residual(const double* rhs, const double* lambda) {
  WriteArray residual(right_.get());
  operator_.apply(false, lambda, residual.data());
  for (Index i = 0; i < equation_.local_size(); ++i) residual[i] = rhs[i] - residual[i];
  return equation_.worst(residual.data());
}

Outcome GraphAdjoint::solve(const double* slopes, const double* rhs, double* lambda) {
  const Index before = operator_.products();
  const double given = equation_.worst(rhs).norm;
  Outcome outcome{.solve = "adjoint of the graph (adj_)", .reason = "CONVERGED_AT_START"};
  operator_.linearise(slopes);
  // KSP sees the norm over all nodes, so a solve may have to be repeated for the worst node.
  constexpr int attempts = 5;
  bool failed = false;
  for (int attempt = 0; attempt <= attempts; ++attempt) {
    const GraphEquation::Worst worst = compute_residual(rhs, lambda);
    const double norm = equation_.norm(ReadArray(right_.get()).data());
    const double tolerance = rtol_ * given + attainable_residual * equation_.worst(lambda).norm;
    outcome.residual = given > 0.0 ? worst.norm / given : worst.norm;
    outcome.worst_sample = worst.node;
    outcome.converged = std::isfinite(norm) && worst.norm <= tolerance;
    if (outcome.converged || failed || !std::isfinite(norm)) break;
    set_target(ksp_.get(), norm_for(tolerance, norm, worst.norm));
    check(KSPSolve(ksp_.get(), right_.get(), correction_.get()));
    const KspResult result = result_of(ksp_.get());
    outcome.iterations += result.iterations;
    outcome.reason = result.text;
    failed = result.reason < 0;
    const ReadArray correction(correction_.get());
    for (Index i = 0; i < equation_.local_size(); ++i) lambda[i] += correction[i];
  }
  if (!outcome.converged) outcome.place = equation_.describe(outcome.worst_sample);
  outcome.products = operator_.products() - before;
  return outcome;
}

}  // namespace graph_solve
}  // namespace poise
