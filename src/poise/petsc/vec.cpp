#include "poise/petsc/vec.hpp"

#include <fmt/format.h>

#include <cmath>

#include "poise/base/error.hpp"

namespace poise {
inline namespace petsc {

VecHandle create_vec(MPI_Comm comm, Index local_size) {
  VecHandle vec;
  check(VecCreateMPI(comm, static_cast<PetscInt>(local_size), PETSC_DETERMINE, vec.out()));
  return vec;
}

VecHandle duplicate(Vec vec) {
  VecHandle copy;
  check(VecDuplicate(vec, copy.out()));
  return copy;
}

void require_finite(Vec vec, const char* what) {
  PetscReal norm = 0.0;
  check(VecNorm(vec, NORM_2, &norm));
  if (std::isfinite(norm)) return;
  throw Error(ExitCode::failed,
              fmt::format("{} holds NaN or Inf: reduce the step size or the tolerance", what), true);
}

}  // namespace petsc
}  // namespace poise
