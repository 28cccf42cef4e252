#include "poise/linalg/dense_eigen.hpp"

#include <fmt/format.h>
#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

// PETSc does not declare the driver that computes condition numbers.
extern "C" void dgeevx_(const char*, const char*, const char*, const char*, const PetscBLASInt*, double*,
                        const PetscBLASInt*, double*, double*, double*, const PetscBLASInt*, double*,
                        const PetscBLASInt*, PetscBLASInt*, PetscBLASInt*, double*, double*, double*, double*,
                        double*, const PetscBLASInt*, PetscBLASInt*, PetscBLASInt*);

namespace poise {
inline namespace linalg {
namespace {

/// LAPACK's order is ascending with arbitrary signs. The order here is descending, with a fixed sign of each
/// vector, so that features do not depend on the LAPACK library.
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
void decompose_symmetric(const char* job, Index n, std::vector<double>& matrix, std::vector<double>& values) {
  const auto size = static_cast<PetscBLASInt>(n);
  PetscBLASInt length = -1;  // first ask how much work space is best
  PetscBLASInt info = 0;
  double best = 0.0;
  LAPACKsyev_(job, "L", &size, matrix.data(), &size, values.data(), &best, &length, &info);
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKsyev_(job, "L", &size, matrix.data(), &size, values.data(), work.data(), &length, &info);
  if (info != 0)
    throw failure(fmt::format("eigenvalues of a symmetric matrix: LAPACK syev returned {}", info));
}

}  // namespace

SymmetricEigen symmetric_eigen(Index n, std::vector<double> matrix) {
  SymmetricEigen eigen{std::vector<double>(static_cast<std::size_t>(n)), std::move(matrix)};
  if (n == 0) return eigen;
  decompose_symmetric("V", n, eigen.vectors, eigen.values);
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
  on_root(comm, [&] { decompose_symmetric("N", n, matrix, values); });
  check_mpi(MPI_Bcast(values.data(), mpi_count(n), MPI_DOUBLE, 0, comm));
  return values;
}

namespace {

/// All rows, gathered on rank 0, row-major. LAPACK reads them as the transpose, which has the same
/// eigenvalues.
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

/// Computes the eigenvalues and, unless `conditions` is null, |yᴴx| of each.
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
    // Without balancing: scaling the matrix would change the condition numbers.
    dgeevx_("N", vectors, vectors, sense, &n, matrix.data(), &n, real, imaginary, left.data(), &stride,
            right.data(), &stride, &low, &high, scale.data(), &norm,
            conditions != nullptr ? conditions : unused.data(), unused.data(),
            call == 0 ? &best : work.data(), &length, integers.data(), &info);
    length = static_cast<PetscBLASInt>(best);
    work.resize(static_cast<std::size_t>(length));
  }
  if (info != 0) throw failure(fmt::format("eigenvalues of a matrix: LAPACK geevx returned {}", info));
}

/// Real parts, imaginary parts and |yᴴx| of all eigenvalues, the same on every rank.
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

}  // namespace linalg
}  // namespace poise
