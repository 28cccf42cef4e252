#pragma once

// Small dense matrices on every rank, with plain loops and LAPACK.
#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"

namespace poise::testing {

/// Column-major square matrix or block.
struct Dense {
  Dense(Index rows, Index cols) : rows(rows), cols(cols), values(static_cast<std::size_t>(rows * cols)) {}
  double& operator()(Index i, Index j) { return values[static_cast<std::size_t>(j * rows + i)]; }
  double operator()(Index i, Index j) const { return values[static_cast<std::size_t>(j * rows + i)]; }
  Index rows, cols;
  std::vector<double> values;
};

inline double largest_row_sum(const Dense& a) {
  double largest = 0.0;
  for (Index i = 0; i < a.rows; ++i) {
    double sum = 0.0;
    for (Index j = 0; j < a.cols; ++j) sum += std::abs(a(i, j));
    largest = std::max(largest, sum);
  }
  return largest;
}

inline Dense product(const Dense& a, const Dense& b) {
  Dense c(a.rows, b.cols);
  for (Index i = 0; i < a.rows; ++i)
    for (Index j = 0; j < b.cols; ++j)
      for (Index k = 0; k < a.cols; ++k) c(i, j) += a(i, k) * b(k, j);
  return c;
}

inline Dense transposed(const Dense& a) {
  Dense t(a.cols, a.rows);
  for (Index i = 0; i < a.rows; ++i)
    for (Index j = 0; j < a.cols; ++j) t(j, i) = a(i, j);
  return t;
}

/// a times the entries of x in block order.
inline std::vector<double> times(const Dense& a, const std::vector<double>& x) {
  std::vector<double> y(static_cast<std::size_t>(a.rows));
  for (Index j = 0; j < a.cols; ++j)
    for (Index i = 0; i < a.rows; ++i)
      y[static_cast<std::size_t>(i)] += a(i, j) * x[static_cast<std::size_t>(j)];
  return y;
}

inline Dense diagonal(const std::vector<double>& values) {
  const auto m = static_cast<Index>(values.size());
  Dense d(m, m);
  for (Index i = 0; i < m; ++i) d(i, i) = values[static_cast<std::size_t>(i)];
  return d;
}

inline Dense inverse(Dense a) {
  Dense x(a.rows, a.rows);
  for (Index i = 0; i < a.rows; ++i) x(i, i) = 1.0;
  const auto n = static_cast<PetscBLASInt>(a.rows);
  std::vector<PetscBLASInt> pivots(static_cast<std::size_t>(n));
  PetscBLASInt info = 0;
  LAPACKgesv_(&n, &n, a.values.data(), &n, pivots.data(), x.values.data(), &n, &info);
  return x;
}

/// Eigenvalues, ascending.
inline std::vector<double> spectrum(Dense a) {
  const auto n = static_cast<PetscBLASInt>(a.rows);
  PetscBLASInt length = 8 * n + 1;
  PetscBLASInt info = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKsyev_("N", "L", &n, a.values.data(), &n, values.data(), work.data(), &length, &info);
  return values;
}

/// Largest eigenvalue of a x = λ b x, b positive definite, by LAPACK.
inline double largest_generalised(Dense a, Dense b) {
  const auto n = static_cast<PetscBLASInt>(a.rows);
  const PetscBLASInt type = 1;
  PetscBLASInt length = 8 * n + 1;
  PetscBLASInt info = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKsygv_(&type, "N", "L", &n, a.values.data(), &n, b.values.data(), &n, values.data(), work.data(),
              &length, &info);
  return info == 0 ? values.back() : std::nan("");
}

/// Singular values, descending, by LAPACK, of zI − A (real z).
inline std::vector<double> singular_values(const Dense& a, double z = 0.0) {
  Dense shifted_a = a;
  for (double& value : shifted_a.values) value = z == 0.0 ? value : -value;
  for (Index i = 0; i < a.rows; ++i) shifted_a(i, i) += z;
  const auto n = static_cast<PetscBLASInt>(a.rows);
  const PetscBLASInt one = 1;
  PetscBLASInt length = 10 * n + 10;
  PetscBLASInt info = 0;
  double none = 0.0;
  std::vector<double> values(static_cast<std::size_t>(n)), work(static_cast<std::size_t>(length));
  LAPACKgesvd_("N", "N", &n, &n, shifted_a.values.data(), &n, values.data(), &none, &one, &none, &one,
               work.data(), &length, &info);
  return values;
}

/// Lower Cholesky factor.
inline Dense cholesky(Dense a) {
  for (Index j = 0; j < a.cols; ++j)
    for (Index i = 0; i < a.rows; ++i) {
      if (i < j) {
        a(i, j) = 0.0;
        continue;
      }
      for (Index p = 0; p < j; ++p) a(i, j) -= a(i, p) * a(j, p);
      a(i, j) = i == j ? std::sqrt(a(i, j)) : a(i, j) / a(j, j);
    }
  return a;
}

/// m x q normal numbers.
inline Dense random_block(Index m, Index q, double scale, std::uint64_t seed) {
  const CounterRandom random(seed, Stream::weights_b);
  Dense x(m, q);
  for (Index c = 0; c < q; ++c)
    for (Index k = 0; k < m; ++k)
      x(k, c) = scale * random.normal(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(c));
  return x;
}

/// Thin orthogonal factor of random numbers, by Gram-Schmidt done twice.
inline Dense orthonormal(Index rows, Index cols, std::uint64_t seed) {
  Dense x = random_block(rows, cols, 1.0, seed);
  for (Index j = 0; j < cols; ++j) {
    for (int pass = 0; pass < 2; ++pass)
      for (Index k = 0; k < j; ++k) {
        double dot = 0.0;
        for (Index i = 0; i < rows; ++i) dot += x(i, k) * x(i, j);
        for (Index i = 0; i < rows; ++i) x(i, j) -= dot * x(i, k);
      }
    double square = 0.0;
    for (Index i = 0; i < rows; ++i) square += x(i, j) * x(i, j);
    for (Index i = 0; i < rows; ++i) x(i, j) /= std::sqrt(square);
  }
  return x;
}

}  // namespace poise::testing
