#pragma once

#include <slepceps.h>

#include <functional>
#include <string>

namespace poise {
inline namespace linalg {

/// Collective. A new eigensolver with this options prefix. One rank solves the projected problem and
/// broadcasts the solution: rounding depends on the processor, and all ranks must decide alike where
/// eigenvalues decide.
void create_eigensolver(MPI_Comm comm, const char* prefix, EPS* eps);

/// How the run of an eigensolver ended.
struct EigenRun {
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  int pairs = 0;       ///< number of converged eigenpairs
  int iterations = 0;  ///< number of restarts
};

/// Collective. Runs an eigensolver from the vector `start`.
EigenRun run_eigensolver(EPS eps, Vec start);

/// Collective. As run_eigensolver, but throws failure on all ranks unless `wanted` pairs have converged. The
/// message is `text` of the run, followed by the options that may help.
EigenRun solve_eigenproblem(EPS eps, Vec start, int wanted,
                            const std::function<std::string(const EigenRun&)>& text);

/// Not collective. The end of a message that names the options that may help a solver with this prefix: ";
/// raise -svd_eps_max_it or ...".
[[nodiscard]] std::string eigensolver_cure(const std::string& prefix);

}  // namespace linalg
}  // namespace poise
