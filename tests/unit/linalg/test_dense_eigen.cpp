#include <gtest/gtest.h>

#include <cmath>

#include "poise/linalg/dense_eigen.hpp"

namespace poise {
namespace {

constexpr double rounding = 1e-14;

/// H diag(3, 1, -2) H with the reflection H = I - 2 w wᵀ, w = (1, 1, 1)/√3: the columns of H are
/// eigenvectors.
std::vector<double> matrix_with_known_spectrum() {
  const double spectrum[3] = {3.0, 1.0, -2.0};
  std::vector<double> matrix(9, 0.0);
  const auto h = [](int i, int k) { return (i == k ? 1.0 : 0.0) - 2.0 / 3.0; };
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k)
        matrix[static_cast<std::size_t>(3 * j + i)] += h(i, k) * spectrum[k] * h(j, k);
  return matrix;
}

void expect_known_spectrum(const SymmetricEigen& eigen) {
  ASSERT_EQ(eigen.values.size(), 3U);
  ASSERT_EQ(eigen.vectors.size(), 9U);
  const double spectrum[3] = {3.0, 1.0, -2.0};
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(eigen.values[k], spectrum[k], 3.0 * rounding);
    // The largest entry in magnitude is 2/3 or -2/3 of column k of H; its sign is made positive.
    for (std::size_t i = 0; i < 3; ++i) {
      const double other = eigen.vectors[3 * k + i];
      EXPECT_NEAR(std::abs(other), i == k ? 1.0 / 3.0 : 2.0 / 3.0, 10.0 * rounding);
      EXPECT_EQ(other > 0.0, i != k);
    }
  }
}

TEST(SymmetricEigen, EigenvaluesDescendAndLargestEntriesArePositive) {
  expect_known_spectrum(symmetric_eigen(3, matrix_with_known_spectrum()));
}

TEST(SymmetricEigen, EveryRankGetsTheSame) {
  expect_known_spectrum(symmetric_eigen(MPI_COMM_WORLD, 3, matrix_with_known_spectrum()));
}

TEST(SymmetricEigen, EigenvaluesAloneAscend) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);  // only the matrix of rank 0 is read
  const std::vector<double> values = symmetric_eigenvalues(
      MPI_COMM_WORLD, 3, rank == 0 ? matrix_with_known_spectrum() : std::vector<double>(9, 7.0));
  const double spectrum[3] = {-2.0, 1.0, 3.0};
  ASSERT_EQ(values.size(), 3U);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(values[k], spectrum[k], 3.0 * rounding);
}

TEST(SymmetricEigen, AnEmptyMatrixHasNoEigenvalues) {
  EXPECT_TRUE(symmetric_eigenvalues(MPI_COMM_WORLD, 0, {}).empty());
  EXPECT_TRUE(symmetric_eigen(0, {}).values.empty());
  EXPECT_TRUE(symmetric_eigen(MPI_COMM_WORLD, 0, {}).values.empty());
}

}  // namespace
}  // namespace poise
