#include "poise/linalg/all_eigenvalues.hpp"

#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
namespace {

/// The rows on rank 0, row-major: to LAPACK the transpose, which has the same eigenvalues.
std::vector<double> gather_rows(const RowBlockMatrix& matrix, bool root) {
  std::vector<int> counts;
  std::vector<int> displacements;
  const auto& offsets = matrix.offsets();
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    counts.push_back(mpi_count((offsets[r + 1] - offsets[r]) * matrix.width()));
    displacements.push_back(mpi_count(offsets[r] * matrix.width()));
  }
  std::vector<double> all(root ? static_cast<std::size_t>(matrix.width() * matrix.width()) : 0);
  check_mpi(MPI_Gatherv(matrix.rows(), mpi_count(matrix.local_rows() * matrix.width()), MPI_DOUBLE,
                        all.data(), counts.data(), displacements.data(), MPI_DOUBLE, 0, matrix.comm()));
  return all;
}

void decompose(Index m, std::vector<double>& matrix, double* real, double* imaginary) {
  const auto n = static_cast<PetscBLASInt>(m);
  const PetscBLASInt one = 1;
  PetscBLASInt length = -1;  // first ask how much work space is best
  PetscBLASInt info = 0;
  double best = 0.0;
  double none = 0.0;
  LAPACKgeev_("N", "N", &n, matrix.data(), &n, real, imaginary, &none, &one, &none, &one, &best, &length,
              &info);
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKgeev_("N", "N", &n, matrix.data(), &n, real, imaginary, &none, &one, &none, &one, work.data(),
              &length, &info);
  if (info != 0) throw failure("eigenvalues of a matrix: LAPACK geev returned " + std::to_string(info));
}

}  // namespace

std::vector<std::complex<double>> all_eigenvalues(const RowBlockMatrix& matrix) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(matrix.comm(), &rank));
  const Index m = matrix.width();
  std::vector<double> rows = gather_rows(matrix, rank == 0);
  std::vector<double> parts(static_cast<std::size_t>(2 * m));
  on_root(matrix.comm(), [&] { decompose(m, rows, parts.data(), parts.data() + m); });
  check_mpi(MPI_Bcast(parts.data(), mpi_count(2 * m), MPI_DOUBLE, 0, matrix.comm()));
  std::vector<std::complex<double>> values;
  for (Index i = 0; i < m; ++i) values.emplace_back(parts[i], parts[m + i]);
  std::stable_sort(values.begin(), values.end(), [](auto a, auto b) { return std::abs(a) > std::abs(b); });
  return values;
}

}  // namespace poise
