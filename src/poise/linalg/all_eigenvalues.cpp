#include "poise/linalg/all_eigenvalues.hpp"

#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

// PETSc does not declare the driver that gives conditions.
extern "C" void dgeevx_(const char*, const char*, const char*, const char*, const PetscBLASInt*, double*,
                        const PetscBLASInt*, double*, double*, double*, const PetscBLASInt*, double*,
                        const PetscBLASInt*, PetscBLASInt*, PetscBLASInt*, double*, double*, double*, double*,
                        double*, const PetscBLASInt*, PetscBLASInt*, PetscBLASInt*);

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

/// Eigenvalues, and, unless `conditions` is null, |yᴴx| of each.
void decompose(Index m, std::vector<double>& matrix, double* real, double* imaginary, double* conditions) {
  const auto n = static_cast<PetscBLASInt>(m);
  const char* vectors = conditions != nullptr ? "V" : "N";
  const char* sense = conditions != nullptr ? "E" : "N";
  const std::size_t size = conditions != nullptr ? matrix.size() : 1;
  std::vector<double> left(size), right(size), scale(static_cast<std::size_t>(m)), unused(scale.size());
  std::vector<PetscBLASInt> integers(static_cast<std::size_t>(2 * m));
  const PetscBLASInt stride = conditions != nullptr ? n : 1;
  PetscBLASInt low = 0, high = 0, info = 0, length = -1;  // first ask how much work space is best
  double norm = 0.0, best = 0.0;
  std::vector<double> work(1);
  for (int call = 0; call < 2; ++call) {
    // Not balanced: the condition of an eigenvalue of a scaled matrix is another one.
    dgeevx_("N", vectors, vectors, sense, &n, matrix.data(), &n, real, imaginary, left.data(), &stride,
            right.data(), &stride, &low, &high, scale.data(), &norm,
            conditions != nullptr ? conditions : unused.data(), unused.data(),
            call == 0 ? &best : work.data(), &length, integers.data(), &info);
    length = static_cast<PetscBLASInt>(best);
    work.resize(static_cast<std::size_t>(length));
  }
  if (info != 0) throw failure("eigenvalues of a matrix: LAPACK geevx returned " + std::to_string(info));
}

/// Real parts, imaginary parts and |yᴴx| of all, the same on every rank.
std::vector<double> decompose(const RowBlockMatrix& matrix, bool with_conditions) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(matrix.comm(), &rank));
  const Index m = matrix.width();
  std::vector<double> rows = gather_rows(matrix, rank == 0);
  std::vector<double> parts(static_cast<std::size_t>(3 * m), 1.0);
  on_root(matrix.comm(), [&] {
    decompose(m, rows, parts.data(), parts.data() + m, with_conditions ? parts.data() + 2 * m : nullptr);
  });
  check_mpi(MPI_Bcast(parts.data(), mpi_count(3 * m), MPI_DOUBLE, 0, matrix.comm()));
  return parts;
}

}  // namespace

std::vector<std::complex<double>> all_eigenvalues(const RowBlockMatrix& matrix) {
  const Index m = matrix.width();
  const std::vector<double> parts = decompose(matrix, false);
  std::vector<std::complex<double>> values;
  for (Index i = 0; i < m; ++i) values.emplace_back(parts[i], parts[m + i]);
  std::stable_sort(values.begin(), values.end(), [](auto a, auto b) { return std::abs(a) > std::abs(b); });
  return values;
}

std::vector<ConditionedEigenvalue> conditioned_eigenvalues(const RowBlockMatrix& matrix) {
  const Index m = matrix.width();
  const std::vector<double> parts = decompose(matrix, true);
  std::vector<ConditionedEigenvalue> values;
  for (Index i = 0; i < m; ++i) values.push_back({{parts[i], parts[m + i]}, 1.0 / parts[2 * m + i]});
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.value) > std::abs(b.value); });
  return values;
}

}  // namespace poise
