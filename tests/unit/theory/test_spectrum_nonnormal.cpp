#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "poise/linalg/dense_eigen.hpp"
#include "poise/theory/nonnormality.hpp"
#include "unit/theory/known_spectra.hpp"

namespace poise {
namespace {

using testing::Complex;
using testing::Dense;
using testing::Spread;

/// Default of the bracket of the numerical radius.
constexpr double bracket = 2e-3;
constexpr double rounding = 1e-12;
/// Above the tolerance of the resolvent's solves, 1e-6 of norms of about 2.
constexpr double resolvent_error = 3e-6;

void expect_radius(const NumericalRange& range, double radius) {
  EXPECT_LE(range.radius_low, radius * (1.0 + rounding));
  EXPECT_GE(range.radius_high, radius * (1.0 - rounding));
  EXPECT_LE(range.radius_high - range.radius_low, bracket * range.radius_high);
}

class Jordan : public ::testing::TestWithParam<Index> {};

TEST_P(Jordan, BlockHasADiscAsItsNumericalRange) {
  const Index m = GetParam();
  const double radius = std::cos(std::numbers::pi / static_cast<double>(m + 1));
  for (const double center : {0.0, -0.4}) {
    const Spread a(testing::jordan_block(m, center));
    const NumericalRange range = numerical_range(a.rows, {});
    expect_radius(range, radius + std::abs(center));
    EXPECT_NEAR(range.abscissa, radius + center, 1e-9);
  }
}

TEST_P(Jordan, BlockHasEigenvaluesOfNoUsableCondition) {
  // Rounding moves an m-fold eigenvalue by about ε^(1/m); the residual does not show it.
  const Spread a(testing::rotated(testing::jordan_block(GetParam(), 0.5)));
  for (const ConditionedEigenvalue& found : conditioned_eigenvalues(a.rows)) {
    EXPECT_GT(found.condition, 1e7);
    EXPECT_LT(std::abs(found.value - 0.5), 2.0);
  }
}

TEST(ConditionedEigenvalues, OfATriangleOfTwoAreKnown) {
  // [1 c; 0 2]: both have the condition √(1 + c²).
  for (const double c : {0.0, 1.0, 1e3}) {
    const Spread a([&] {
      Dense dense(2, 2);
      dense(0, 0) = 1.0, dense(0, 1) = c, dense(1, 1) = 2.0;
      return dense;
    }());
    const auto found = conditioned_eigenvalues(a.rows);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NEAR(found[0].value.real(), 2.0, 1e-12);
    for (const ConditionedEigenvalue& one : found)
      EXPECT_NEAR(one.condition, std::hypot(1.0, c), 1e-9 * std::hypot(1.0, c));
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, Jordan, ::testing::Values(2, 8, 60));

TEST(NumericalRange, OfANormalMatrixIsTheHullOfItsEigenvalues) {
  const std::vector<double> c{0.1, 0.5, -0.2, 0.05, 0.0, 0.3, 0.15};
  const Spread a(testing::circulant(c));
  double radius = 0.0;
  double abscissa = -1e300;
  for (const Complex& value : testing::circulant_eigenvalues(c)) {
    radius = std::max(radius, std::abs(value));
    abscissa = std::max(abscissa, value.real());
  }
  const NumericalRange range = numerical_range(a.rows, {});
  expect_radius(range, radius);
  EXPECT_NEAR(range.abscissa, abscissa, 1e-9);
}

TEST(NumericalRange, OfADefiniteMatrixIsAnIntervalThatLeavesTheOriginOut) {
  for (const double sign : {1.0, -1.0}) {
    const Spread a(testing::rotated(testing::diagonal({sign * 1.0, sign * 2.0, sign * 3.0, sign * 2.5})));
    const NumericalRange range = numerical_range(a.rows, {});
    expect_radius(range, 3.0);
    EXPECT_NEAR(range.abscissa, sign > 0.0 ? 3.0 : -1.0, 1e-9);
  }
}

TEST(NumericalRange, OfZeroAndOfSingularMatricesIsFound) {
  EXPECT_EQ(numerical_range(Spread(Dense(5, 5)).rows, {}).radius_high, 0.0);
  expect_radius(numerical_range(Spread(testing::diagonal({2.0, 0.0, 0.0, 0.0})).rows, {}), 2.0);
}

TEST(NumericalRange, BracketHoldsWhenTheAnglesAreUsedUp) {
  const Spread a(testing::jordan_block(8, 0.0));
  const NumericalRange range = numerical_range(a.rows, {.tolerance = 1e-9, .angles = 7});
  const double radius = std::cos(std::numbers::pi / 9.0);
  EXPECT_EQ(range.angles, 7);
  EXPECT_LE(range.radius_low, radius * (1.0 + rounding));
  EXPECT_GE(range.radius_high, radius);
  // Lines π/4 apart have corners 1/cos(π/8) times as far.
  EXPECT_LE(range.radius_high, radius / std::cos(std::numbers::pi / 8.0) + 1e-9);
}

TEST(Resolvent, DistanceOfANormalMatrixIsThatToTheNearestEigenvalue) {
  const std::vector<double> c{0.1, 0.5, -0.2, 0.05, 0.0, 0.3, 0.15};
  const Spread a(testing::circulant(c));
  for (const Complex z : {Complex(1.0), Complex(-1.0), Complex(0.6, 0.8), Complex(0.1, -2.0)}) {
    double nearest = 1e300;
    for (const Complex& value : testing::circulant_eigenvalues(c))
      nearest = std::min(nearest, std::abs(z - value));
    const SpectralValue found = resolvent_distance(a.rows, z);
    EXPECT_LE(found.residual, resolvent_error);
    EXPECT_NEAR(found.value, nearest, found.residual + rounding);
  }
}

TEST(Resolvent, DistanceOfANonNormalMatrixEqualsLapack) {
  const Spread a(testing::jordan_block(9, 0.2, 0.9));
  for (const double z : {1.0, -1.0, 1.5}) {
    const SpectralValue found = resolvent_distance(a.rows, z);
    EXPECT_NEAR(found.value, testing::singular_values(a.dense, z).back(), found.residual + rounding);
    EXPECT_LE(found.residual, resolvent_error);
  }
}

TEST(Stability, OfANormalMatrixFollowsFromTheEigenvalues) {
  const Spread a(testing::normal_matrix({0.7, std::polar(0.8, 1.1), std::polar(0.5, 2.0), -0.3}));
  const IterationStability found = iteration_stability(a.rows, 0.8, 64);
  EXPECT_LE(found.distance_low, 0.2 + rounding);
  EXPECT_GE(found.distance_high, 0.2 - rounding);
  EXPECT_LE(found.distance_high - found.distance_low, 0.05 * found.distance_high);
  EXPECT_LE(std::abs(found.angle - 1.1), 0.2);
  EXPECT_NEAR(found.kreiss_low, 1.0, resolvent_error);
}

TEST(Stability, BracketOfANonNormalMatrixHoldsTheMinimumOnACircle) {
  // A weighted shift is similar to any rotation of itself, so σ_min(zI − cJ) is the same all around.
  const double weight = 0.95;
  const Spread a(testing::jordan_block(10, 0.0, weight));
  const double distance = testing::singular_values(a.dense, 1.0).back();
  const double radius = weight * std::cos(std::numbers::pi / 11.0);
  const IterationStability found = iteration_stability(a.rows, radius, 16);
  EXPECT_GE(found.distance_high, distance - resolvent_error);
  EXPECT_LE(found.distance_high, distance + resolvent_error);
  EXPECT_LE(found.distance_low, distance + resolvent_error);
  EXPECT_GE(found.distance_low, 1.0 - radius - rounding);
}

TEST(Stability, KreissBoundSeesTransientGrowthThatEigenvaluesDoNot) {
  // ρ = 0.5, yet powers grow at first.
  const Spread a(testing::jordan_block(10, 0.5, 2.0));
  const IterationStability found = iteration_stability(a.rows, 3.0, 8);
  double largest = 0.0;
  Dense power = a.dense;
  for (int k = 1; k < 64; ++k) {
    largest = std::max(largest, testing::singular_values(power).front());
    power = testing::product(power, a.dense);
  }
  EXPECT_GT(found.kreiss_low, 10.0);
  EXPECT_LE(found.kreiss_low, largest);
  EXPECT_LT(found.distance_high, 0.01);  // 1 − ρ is 0.5
}

TEST(PowerNorms, EqualTheNormsOfThePowers) {
  const Spread a(testing::jordan_block(9, 0.6, 0.5));
  const std::vector<PowerNorm> norms = power_norms(a.rows, 16);
  ASSERT_EQ(norms.size(), 5u);
  Dense power = a.dense;
  int exponent = 1;
  for (const PowerNorm& norm : norms) {
    for (; exponent < norm.power; ++exponent) power = testing::product(power, a.dense);
    EXPECT_NEAR(norm.norm.value, testing::singular_values(power).front(), norm.norm.residual + rounding);
  }
}

TEST(PowerNorms, OfANormalMatrixAreThePowersOfTheSpectralRadius) {
  const Spread a(testing::normal_matrix({0.9, std::polar(0.8, 1.1), -0.3}));
  for (const PowerNorm& norm : power_norms(a.rows, 32))
    EXPECT_NEAR(norm.norm.value, std::pow(0.9, norm.power), norm.norm.residual + rounding);
}

TEST(PowerNorms, KeepTheirDigitsWhereTheyAreTiny) {
  const Spread a(testing::normal_matrix({0.3, std::polar(0.2, 1.1), -0.1}));
  const PowerNorm last = power_norms(a.rows, 128).back();
  EXPECT_NEAR(last.norm.value / std::pow(0.3, 128), 1.0, 1e-8);
}

TEST(SoftmaxWeights, HaveTheSpectralFactsOfColumnStochasticMatrices) {
  const double gamma = 0.8;
  Dense w = testing::softmax_weights(30, 2.0, 3);
  for (double& value : w.values) value *= gamma;
  const Spread a(w);
  const Eigenvalues leading = leading_eigenvalues(
      operator_of(a.rows), 4, {.prefix = "spec_test_", .quantity = "eigenvalues", .tolerance = 1e-12});
  EXPECT_NEAR(leading.values[0].real, gamma, 1e-10);  // Perron, THEORY.md 7.4
  const NumericalRange range = numerical_range(a.rows, {});
  // No entry is negative, so the numerical range reaches farthest to the right.
  expect_radius(range, range.abscissa);
  EXPECT_GE(range.abscissa, gamma);
  EXPECT_LE(range.radius_low, testing::singular_values(w).front());
}

}  // namespace
}  // namespace poise
