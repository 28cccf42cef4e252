#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/error.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/theory/spectral_solvers.hpp"
#include "unit/theory/known_spectra.hpp"

namespace poise {
namespace {

using testing::Complex;
using testing::Dense;
using testing::Spread;

/// Rounding of products of three matrices of size 1.
constexpr double rounding = 1e-13;
const SpectralSolver solver{.prefix = "spec_test_", .quantity = "values of a test"};

/// Residual that the default tolerance allows for an operator of size about 1.
constexpr double allowed = 2e-9;

std::vector<double> falling(Index m, double first) {
  std::vector<double> values;
  for (Index k = 0; k < m; ++k)
    values.push_back(first - 1.3 * static_cast<double>(k) / static_cast<double>(m));
  return values;
}

class KnownSpectra : public ::testing::TestWithParam<Index> {};

TEST_P(KnownSpectra, LargestEigenvalueOfASymmetricMatrix) {
  const Index m = GetParam();
  const Spread a(testing::rotated(testing::diagonal(falling(m, 0.9))));
  const SpectralValue top = largest_eigenvalue(operator_of(a.rows), solver);
  // The error is of second order in the residual.
  EXPECT_NEAR(top.value, 0.9, rounding);
  EXPECT_LE(top.residual, allowed);
}

TEST_P(KnownSpectra, SingularValuesAtBothEnds) {
  const Index m = GetParam();
  const std::vector<double> values = falling(m, 1.5);
  const Dense left = testing::orthonormal(m, m, 1);
  const Spread a(testing::product(testing::product(left, testing::diagonal(values)),
                                  testing::transposed(testing::orthonormal(m, m, 2))));
  const LinearOperator op = operator_of(a.rows);
  const SpectralValue top = largest_singular_value(op, solver);
  const SpectralValue bottom = smallest_singular_value(op, solver);
  EXPECT_NEAR(top.value, 1.5, rounding);
  EXPECT_LE(top.residual, allowed);
  EXPECT_LE(bottom.residual, allowed);
  EXPECT_NEAR(bottom.value, values.back(), bottom.residual + rounding);
}

TEST_P(KnownSpectra, LargestSingularValueOfAMatrixOfLowRank) {
  // A Jacobian of which most slopes are 0: rank 3 at most.
  const Index m = GetParam();
  const Index rank = std::min<Index>(3, m);
  std::vector<double> values(static_cast<std::size_t>(m), 0.0);
  for (Index k = 0; k < rank; ++k) values[static_cast<std::size_t>(k)] = 1.4 - 0.1 * static_cast<double>(k);
  const Spread a(testing::product(testing::product(testing::orthonormal(m, m, 1), testing::diagonal(values)),
                                  testing::transposed(testing::orthonormal(m, m, 2))));
  const SpectralValue top = largest_singular_value(operator_of(a.rows), solver);
  EXPECT_NEAR(top.value, 1.4, rounding);
  EXPECT_LE(top.residual, allowed);
}

TEST_P(KnownSpectra, LeadingEigenvaluesOfADiagonalizableNonNormalMatrix) {
  const Index m = GetParam();
  // T diag Tinv with T = I + N, N strictly upper triangular.
  Dense t = testing::jordan_block(m, 1.0, 0.7);
  const std::vector<double> values = falling(m, 1.1);
  const Spread a(testing::product(testing::product(t, testing::diagonal(values)), testing::inverse(t)));
  const Index count = std::min<Index>(3, m);
  const Eigenvalues found = leading_eigenvalues(operator_of(a.rows), count, solver);
  ASSERT_EQ(found.values.size(), static_cast<std::size_t>(count));
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end(), [](double x, double y) { return std::abs(x) > std::abs(y); });
  for (Index k = 0; k < count; ++k) {
    // κ(T)² <= 1.7²/(1 − 0.7)² bounds the error of an eigenvalue by its residual.
    EXPECT_NEAR(found.values[k].real, sorted[k], 33.0 * (found.values[k].residual + rounding));
    EXPECT_EQ(found.values[k].imaginary, 0.0);
    EXPECT_LE(found.values[k].residual, allowed);
  }
}

// Widths 1, 2 and 3 leave ranks without rows; 60 is more than the size of a basis.
INSTANTIATE_TEST_SUITE_P(Widths, KnownSpectra, ::testing::Values(1, 2, 3, 14, 60));

/// Real, pair, pair, real, …: descending moduli.
std::vector<Complex> with_pairs(Index blocks) {
  std::vector<Complex> values;
  for (Index k = 0; k < blocks; ++k) {
    const double modulus = 1.0 - 0.8 * static_cast<double>(k) / static_cast<double>(blocks);
    values.push_back(k % 3 == 0 ? Complex(k % 2 == 0 ? modulus : -modulus)
                                : std::polar(modulus, 0.4 + 0.1 * static_cast<double>(k)));
  }
  return values;
}

class ComplexPairs : public ::testing::TestWithParam<Index> {};

TEST_P(ComplexPairs, AreFoundWholeInOrder) {
  const Index count = GetParam();
  const std::vector<Complex> known = with_pairs(34);
  const Spread a(testing::normal_matrix(known));
  const Eigenvalues found = leading_eigenvalues(operator_of(a.rows), count, solver);
  std::size_t at = 0;
  for (const Complex& value : known) {
    if (at >= static_cast<std::size_t>(count)) break;
    const bool pair = value.imag() != 0.0;
    ASSERT_LE(at + (pair ? 2 : 1), found.values.size()) << "a split pair";
    // Normal matrix: the error of an eigenvalue is at most the residual.
    EXPECT_NEAR(found.values[at].real, value.real(), found.values[at].residual + rounding);
    EXPECT_NEAR(std::abs(found.values[at].imaginary), value.imag(), found.values[at].residual + rounding);
    if (pair) {
      EXPECT_EQ(found.values[at + 1].real, found.values[at].real);
      EXPECT_EQ(found.values[at + 1].imaginary, -found.values[at].imaginary);
    }
    at += pair ? 2 : 1;
  }
  EXPECT_EQ(at, found.values.size());
  for (const Eigenvalue& value : found.values) EXPECT_LE(value.residual, allowed);
}

// 1 real; 2 and 4 cut a pair; 3 and 5 do not; 20 needs a larger basis.
INSTANTIATE_TEST_SUITE_P(Counts, ComplexPairs, ::testing::Values(1, 2, 3, 4, 5, 20));

TEST(AllEigenvalues, EqualTheEigenvaluesOfTheBlocks) {
  const std::vector<Complex> known = with_pairs(11);
  const Spread a(testing::normal_matrix(known));
  const std::vector<Complex> found = all_eigenvalues(a.rows);
  ASSERT_EQ(static_cast<Index>(found.size()), a.dense.rows);
  std::size_t at = 0;
  for (const Complex& value : known) {
    EXPECT_NEAR(found[at].real(), value.real(), rounding);
    EXPECT_NEAR(std::abs(found[at].imag()), value.imag(), rounding);
    at += value.imag() == 0.0 ? 1 : 2;
  }
}

void expect_failure(const std::function<void()>& body, ExitCode code, const std::vector<std::string>& words) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_TRUE(error.collective());
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(SpectralFailure, TooFewRestartsAreAnErrorWithTheNumberOfConvergedPairs) {
  PetscOptionsInsertString(nullptr, "-spec_test_eps_max_it 1 -spec_test_eps_ncv 12");
  const Spread a(testing::normal_matrix(with_pairs(34)));
  expect_failure(
      [&] { (void)leading_eigenvalues(operator_of(a.rows), 5, solver); }, ExitCode::failed,
      {"values of a test", " of 5 converged in 1 restarts", "DIVERGED_ITS", "-spec_test_eps_max_it"});
  PetscOptionsClearValue(nullptr, "-spec_test_eps_max_it");
  PetscOptionsClearValue(nullptr, "-spec_test_eps_ncv");
}

TEST(SpectralFailure, MoreEigenvaluesThanThereAreAreBadInput) {
  const Spread a(testing::diagonal({3.0, 2.0}));
  expect_failure([&] { (void)leading_eigenvalues(operator_of(a.rows), 3, solver); }, ExitCode::bad_input,
                 {"3 values of a test were asked for", "there are 2"});
}

TEST(SpectralFailure, ASingularMatrixHasNoSmallestSingularValueByItsInverse) {
  const Spread a(testing::rotated(testing::diagonal({3.0, 2.0, 1.0, 0.0})));
  expect_failure([&] { (void)smallest_singular_value(operator_of(a.rows), solver); }, ExitCode::failed,
                 {"values of a test", "spec_test_"});
}

TEST(SpectralFailure, ANotANumberIsAnErrorOnEveryRank) {
  Spread a(testing::diagonal({3.0, 2.0, std::nan("")}));
  expect_failure([&] { (void)frobenius_norm(a.rows); }, ExitCode::failed, {"NaN"});
}

TEST(FrobeniusNorm, EqualsTheNormOfTheScaledRows) {
  const Spread a(testing::diagonal({3.0, 2.0, 1.0}));
  const std::vector<double> all{1.0, 2.0, 0.5};
  const std::vector<double> own(all.begin() + a.rows.row_begin(),
                                all.begin() + a.rows.row_begin() + a.rows.local_rows());
  EXPECT_NEAR(frobenius_norm(a.rows), std::sqrt(14.0), rounding);
  // A rank without rows has a null pointer, and still scales.
  EXPECT_NEAR(frobenius_norm(a.rows, own.data()), std::sqrt(9.0 + 16.0 + 0.25), rounding);
}

}  // namespace
}  // namespace poise
