#include "poise/petsc/eigensolver.hpp"

#include "poise/base/check.hpp"

namespace poise {

void create_eigensolver(MPI_Comm comm, const char* prefix, EPS* eps) {
  check(EPSCreate(comm, eps));
  check(EPSSetOptionsPrefix(*eps, prefix));
  DS projected = nullptr;
  check(EPSGetDS(*eps, &projected));
  check(DSSetParallel(projected, DS_PARALLEL_SYNCHRONIZED));
}

}  // namespace poise
