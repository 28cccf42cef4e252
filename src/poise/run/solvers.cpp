#include "poise/run/solvers.hpp"

#include <algorithm>
#include <array>

#include "poise/base/error.hpp"

namespace poise {
inline namespace run {
namespace {

struct KnownSolver {
  const char *prefix, *kind, *defaults;
};

constexpr std::array known{
    // equilibria and their adjoints
    KnownSolver{
        "eq_", "SNES",
        "meanfield if its factorisation pays off; else newtonls with GMRES for linear maps, perron for "
        "softmax weights, picard for all other maps"},
    KnownSolver{
        "eq_mixed_", "SNES",
        "the meanfield or perron iteration of eq_ with Anderson mixing, for samples that eq_ did not solve"},
    KnownSolver{"eq_newton_", "SNES",
                "newtonls with backtracking and GMRES, for samples that eq_ and eq_mixed_ did not solve"},
    KnownSolver{"eq_anderson_", "SNES", "anderson, for samples that eq_newton_ did not solve"},
    KnownSolver{
        "adj_", "KSP",
        "meanfield or neumann if eq_ is meanfield, perron or picard, else gmres; tolerance of the worst "
        "sample: the tolerance of the equilibria"},
    KnownSolver{"adj_mixed_", "KSP",
                "the meanfield or corrected neumann iteration of adj_ with Anderson mixing, for samples that "
                "adj_ did not solve"},
    KnownSolver{"adj_gmres_", "KSP", "gmres, for samples that adj_ and adj_mixed_ did not solve"},
    KnownSolver{
        "eq_scalar_", "KSP",
        "cg with BoomerAMG (gmres for directed graphs, jacobi for nodes with over 100 neighbours), 1e-3: "
        "the scalar systems inside of graphperron"},
    KnownSolver{"adj_scalar_", "KSP", "as eq_scalar_, for the adjoint"},
    KnownSolver{"collapsed_", "KSP", "gmres for the systems with U, tolerance of the worst output 1e-13"},
    KnownSolver{"svd_", "EPS", "krylovschur, squared norms of spectral and free weights, 1e-12"},
    // Theorem 1 and the step size
    KnownSolver{"spec_", "EPS", "krylovschur, smallest eigenvalue of D, residual 3e-9"},
    KnownSolver{"spec_state_", "EPS", "krylovschur, only the start of the first solve of spec_"},
    KnownSolver{"limit_lambda_", "EPS", "krylovschur, largest eigenvalue of D, 1e-10"},
    KnownSolver{"limit_features_", "EPS",
                "krylovschur, largest eigenvalue of the features' Gram matrix, 1e-9"},
    KnownSolver{"limit_curvature_", "EPS", "krylovschur, largest curvature along the flow, 1e-9"},
    KnownSolver{"optimum_", "TAO", "bntr, the convex optimum of classification losses"},
    // Theorem 2
    KnownSolver{"tr_", "KSP", "gltr, the subproblem of Theorem 2"},
    KnownSolver{"tr_inner_", "KSP", "cg, the metric of this subproblem, 1e-13"},
    KnownSolver{"spec_newton_", "EPS", "krylovschur, the largest delta of Theorem 2"},
    // poise-spectrum
    KnownSolver{"spec_w_", "EPS", "krylovschur, leading eigenvalues of W, residual 1e-12 of the norm"},
    KnownSolver{"spec_norm_", "EPS", "krylovschur, norms of W"},
    KnownSolver{"spec_power_", "EPS", "krylovschur, norms of the powers of W"},
    KnownSolver{"spec_range_", "EPS", "krylovschur, support lines of the numerical range"},
    KnownSolver{"spec_resolvent_", "EPS",
                "krylovschur on the inverse of zI - W, 1e-6; the inverse: KSP, gmres(200), 1e-8"},
    KnownSolver{"spec_u_", "EPS",
                "krylovschur, both ends of U = I - W, 1e-9; the inverse: KSP, gmres(200), 1e-11"},
    KnownSolver{"spec_jacobian_", "EPS", "krylovschur, spectral radius of Jacobians, 1e-10 of the norm"},
    KnownSolver{"spec_jacobian_norm_", "EPS", "krylovschur, norms of Jacobians"},
    KnownSolver{"spec_graph_", "EPS", "krylovschur, both ends of the spectrum of a graph's S, 1e-9"},
};

/// The types that Poise adds to PETSc's types, with their options, for the solvers `eq_` and `adj_`.
std::string own_types(const std::string& prefix) {
  constexpr const char* preconditioners = "; pc_type meanfield, perron, samplelu";
  const std::string line = "\n      types of Poise: ";
  if (prefix == "eq_")
    return line +
           "meanfield, perron, picard, forwardbackward, peacemanrachford; snes_patient (continue with slow "
           "samples),\n"
           "      snes_mixing (depth of Anderson mixing; not for the last two types), alpha (step of the "
           "last two types)" +
           preconditioners;
  if (prefix == "adj_") return line + "meanfield, neumann; ksp_patient, ksp_mixing" + preconditioners;
  return "";
}

}  // namespace

void declare_solvers(Options& options, std::initializer_list<SolverName> solvers) {
  for (const SolverName& solver : solvers) {
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& one) { return solver.prefix == one.prefix; });
    if (found == known.end()) throw failure("no solver has the prefix " + solver.prefix);
    options.solver(
        solver.prefix, found->kind,
        found->defaults + (solver.note.empty() ? "" : "; " + solver.note) + own_types(solver.prefix));
  }
}

void declare_equilibrium_solvers(Options& options, const std::string& note) {
  declare_solvers(options, {{"eq_", note},
                            {"eq_mixed_"},
                            {"eq_newton_"},
                            {"eq_anderson_"},
                            {"adj_"},
                            {"adj_mixed_"},
                            {"adj_gmres_"},
                            {"eq_scalar_"},
                            {"adj_scalar_"}});
}

void declare_solver(Options& options, const DynamicsKind& dynamics) {
  const DynamicsSolver solver = dynamics.solver();
  if (!solver.prefix.empty()) options.solver(solver.prefix, solver.kind, solver.defaults);
}

}  // namespace run
}  // namespace poise
