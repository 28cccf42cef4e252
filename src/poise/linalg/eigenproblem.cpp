#include "poise/linalg/eigenproblem.hpp"

#include <fmt/format.h>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
inline namespace linalg {

void create_eigensolver(MPI_Comm comm, const char* prefix, EPS* eps) {
  check(EPSCreate(comm, eps));
  check(EPSSetOptionsPrefix(*eps, prefix));
  DS projected = nullptr;
  check(EPSGetDS(*eps, &projected));
  check(DSSetParallel(projected, DS_PARALLEL_SYNCHRONIZED));
}

EigenRun run_eigensolver(EPS eps, Vec start) {
  EigenRun run;
  PetscInt pairs = 0;
  PetscInt iterations = 0;
  check(EPSSetInitialSpace(eps, 1, &start));
  check(EPSSolve(eps));
  check(EPSGetConvergedReason(eps, &run.reason));
  check(EPSGetConverged(eps, &pairs));
  check(EPSGetIterationNumber(eps, &iterations));
  run.pairs = static_cast<int>(pairs);
  run.iterations = static_cast<int>(iterations);
  return run;
}

EigenRun solve_eigenproblem(EPS eps, Vec start, int wanted,
                            const std::function<std::string(const EigenRun&)>& text) {
  const EigenRun run = run_eigensolver(eps, start);
  if (run.reason > 0 && run.pairs >= wanted) return run;
  const char* prefix = nullptr;
  check(EPSGetOptionsPrefix(eps, &prefix));
  throw Error(ExitCode::failed, text(run) + eigensolver_cure(prefix != nullptr ? prefix : ""), true);
}

std::string eigensolver_cure(const std::string& prefix) {
  return fmt::format("; raise -{0}eps_max_it or -{0}eps_ncv, or loosen -{0}eps_tol", prefix);
}

}  // namespace linalg
}  // namespace poise
