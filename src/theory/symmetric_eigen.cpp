#include "poise/theory/symmetric_eigen.hpp"

#include <petscsys.h>
#include <petscblaslapack.h>

#include <string>

#include "poise/base/error.hpp"

namespace poise {

std::vector<double> symmetric_eigen(Index n, std::vector<double>& matrix) {
  std::vector<double> values(static_cast<std::size_t>(n));
  const auto size = static_cast<PetscBLASInt>(n);
  PetscBLASInt length = 8 * size + 1;
  std::vector<double> work(static_cast<std::size_t>(length));
  PetscBLASInt info = 0;
  LAPACKsyev_("V", "L", &size, matrix.data(), &size, values.data(), work.data(), &length, &info);
  if (info != 0) throw failure("LAPACK's eigensolver dsyev failed with code " + std::to_string(info));
  return values;
}

}  // namespace poise
