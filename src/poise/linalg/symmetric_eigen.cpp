#include "poise/linalg/symmetric_eigen.hpp"

#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
namespace {

/// LAPACK's order is ascending; ours is descending with a fixed sign, so that features do not depend on
/// LAPACK's mood.
void order_and_sign(Index n, std::vector<double>& values, std::vector<double>& vectors) {
  std::reverse(values.begin(), values.end());
  for (Index left = 0, right = n - 1; left < right; ++left, --right)
    std::swap_ranges(vectors.begin() + left * n, vectors.begin() + (left + 1) * n,
                     vectors.begin() + right * n);
  for (Index k = 0; k < n; ++k) {
    double* column = vectors.data() + k * n;
    const double* largest =
        std::max_element(column, column + n, [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (*largest < 0.0) std::transform(column, column + n, column, [](double v) { return -v; });
  }
}

/// `matrix` becomes the eigenvectors (job "V") or is lost ("N").
void decompose(const char* job, Index n, std::vector<double>& matrix, std::vector<double>& values) {
  const auto size = static_cast<PetscBLASInt>(n);
  PetscBLASInt length = -1;  // first ask how much work space is best
  PetscBLASInt info = 0;
  double best = 0.0;
  LAPACKsyev_(job, "L", &size, matrix.data(), &size, values.data(), &best, &length, &info);
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKsyev_(job, "L", &size, matrix.data(), &size, values.data(), work.data(), &length, &info);
  if (info != 0)
    throw failure("eigenvalues of a symmetric matrix: LAPACK syev returned " + std::to_string(info));
}

}  // namespace

SymmetricEigen symmetric_eigen(Index n, std::vector<double> matrix) {
  SymmetricEigen eigen{std::vector<double>(static_cast<std::size_t>(n)), std::move(matrix)};
  if (n == 0) return eigen;
  decompose("V", n, eigen.vectors, eigen.values);
  order_and_sign(n, eigen.values, eigen.vectors);
  return eigen;
}

SymmetricEigen symmetric_eigen(MPI_Comm comm, Index n, std::vector<double> matrix) {
  const auto size = static_cast<std::size_t>(n);
  SymmetricEigen eigen{std::vector<double>(size), std::vector<double>(size * size)};
  on_root(comm, [&] { eigen = symmetric_eigen(n, std::move(matrix)); });
  check_mpi(MPI_Bcast(eigen.values.data(), static_cast<int>(n), MPI_DOUBLE, 0, comm));
  check_mpi(MPI_Bcast(eigen.vectors.data(), mpi_count(n * n), MPI_DOUBLE, 0, comm));
  return eigen;
}

std::vector<double> symmetric_eigenvalues(MPI_Comm comm, Index n, std::vector<double> matrix) {
  std::vector<double> values(static_cast<std::size_t>(n));
  if (n == 0) return values;
  on_root(comm, [&] { decompose("N", n, matrix, values); });
  check_mpi(MPI_Bcast(values.data(), mpi_count(n), MPI_DOUBLE, 0, comm));
  return values;
}

}  // namespace poise
