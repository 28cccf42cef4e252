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
        "meanfield where its factorisation pays, else newtonls with GMRES for linear maps, perron for "
        "softmax weights and picard for others"},
    KnownSolver{"eq_mixed_", "SNES", "a meanfield or perron eq_ with Anderson mixing, where eq_ fails"},
    KnownSolver{"eq_newton_", "SNES", "newtonls with backtracking and GMRES, where these fail"},
    KnownSolver{"eq_anderson_", "SNES", "anderson, where that fails, too"},
    KnownSolver{
        "adj_", "KSP",
        "meanfield or neumann where eq_ is meanfield, perron or picard, else gmres; worst sample to the "
        "equilibria's tolerance"},
    KnownSolver{"adj_mixed_", "KSP", "a meanfield or corrected neumann adj_ with mixing, where adj_ fails"},
    KnownSolver{"adj_gmres_", "KSP", "gmres, where these fail"},
    KnownSolver{"collapsed_", "KSP", "gmres, solves with U, worst output to 1e-13"},
    KnownSolver{"svd_", "EPS", "krylovschur, squared norms of spectral and free weights to 1e-12"},
    // Theorem 1 and the step size
    KnownSolver{"spec_", "EPS", "krylovschur, smallest eigenvalue of D, residual 3e-9"},
    KnownSolver{"spec_state_", "EPS", "krylovschur: only where the first solve of spec_ starts"},
    KnownSolver{"limit_lambda_", "EPS", "krylovschur, largest eigenvalue of D, 1e-10"},
    KnownSolver{"limit_features_", "EPS",
                "krylovschur, largest eigenvalue of the features' Gram matrix, 1e-9"},
    KnownSolver{"limit_curvature_", "EPS", "krylovschur, largest curvature along the flow, 1e-9"},
    KnownSolver{"optimum_", "TAO", "bntr, the convex optimum of classification losses"},
    // Theorem 2
    KnownSolver{"tr_", "KSP", "gltr, the subproblem of Theorem 2"},
    KnownSolver{"tr_inner_", "KSP", "cg, its metric, to 1e-13"},
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
};

/// The types that Poise adds to PETSc's, with their options, behind the prefix of equilibria or adjoints.
std::string own_types(const std::string& prefix) {
  constexpr const char* preconditioners = "; pc_type meanfield, perron, samplelu";
  const std::string line = "\n      types of Poise: ";
  if (prefix == "eq_")
    return line +
           "meanfield, perron, picard, forwardbackward, peacemanrachford; snes_patient (go on with slow "
           "samples),\n"
           "      snes_mixing (depth of Anderson mixing, not of the last two), alpha (step of the last two)" +
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

void declare_solver(Options& options, const DynamicsKind& dynamics) {
  const DynamicsSolver solver = dynamics.solver();
  if (!solver.prefix.empty()) options.solver(solver.prefix, solver.kind, solver.defaults);
}

}  // namespace run
}  // namespace poise
