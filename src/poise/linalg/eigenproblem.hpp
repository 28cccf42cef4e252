#pragma once

#include <slepceps.h>

#include <functional>
#include <string>

namespace poise {

/// Collective. A new eigensolver with this options prefix. All ranks get the projected problem's solution
/// from one of them: each would compute the same numbers but for rounding that depends on the processor, and
/// what is decided by eigenvalues must be decided alike on every rank.
void create_eigensolver(MPI_Comm comm, const char* prefix, EPS* eps);

/// How the run of an eigensolver ended.
struct EigenRun {
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  int pairs = 0;       ///< converged
  int iterations = 0;  ///< restarts
};

/// Collective. Runs an eigensolver from a start.
EigenRun run_eigensolver(EPS eps, Vec start);

/// Collective. The same, and throws failure, on all ranks, unless `wanted` pairs have converged: with what
/// `text` says of the run, and which options of the solver may help.
EigenRun solve_eigenproblem(EPS eps, Vec start, int wanted,
                            const std::function<std::string(const EigenRun&)>& text);

/// Not collective. The options that may help a solver with this prefix: "; raise -svd_eps_max_it or ...".
[[nodiscard]] std::string eigensolver_cure(const std::string& prefix);

}  // namespace poise
