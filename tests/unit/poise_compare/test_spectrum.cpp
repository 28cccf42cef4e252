#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "poise/base/error.hpp"
#include "poise_compare/weight.hpp"

namespace poise::compare {
namespace {

constexpr double rounding = 1e-14;

/// Two rotations around a diagonal: singular values 5 and 2, rows 2, columns 3.
std::vector<double> known_matrix() {
  const double c = std::cos(0.7), s = std::sin(0.7), d = std::cos(1.9), e = std::sin(1.9);
  // [c -s; s c] diag(5, 2) [d e 0; -e d 0], column-major
  return {
      5 * c * d + 2 * s * e, 5 * s * d - 2 * c * e, 5 * c * e - 2 * s * d, 5 * s * e + 2 * c * d, 0.0, 0.0};
}

TEST(SpectrumTest, SingularValuesAreThoseOfAKnownMatrixInDescendingOrder) {
  const std::vector<double> values = singular_values(2, 3, known_matrix());
  ASSERT_EQ(values.size(), 2U);
  EXPECT_NEAR(values[0], 5.0, 5.0 * rounding);
  EXPECT_NEAR(values[1], 2.0, 5.0 * rounding);
}

TEST(SpectrumTest, NormsAndRanksAreThoseOfTheirDefinitions) {
  const Spectrum s = spectrum_of({5.0, 2.0});
  EXPECT_DOUBLE_EQ(s.nuclear, 7.0);
  EXPECT_DOUBLE_EQ(s.frobenius, std::sqrt(29.0));
  EXPECT_DOUBLE_EQ(s.stable_rank, 29.0 / 25.0);
  EXPECT_DOUBLE_EQ(s.effective_rank,
                   std::exp(-5.0 / 7.0 * std::log(5.0 / 7.0) - 2.0 / 7.0 * std::log(2.0 / 7.0)));
}

TEST(SpectrumTest, EffectiveRankOfEqualValuesIsTheirNumberAndOfOneValueOne) {
  EXPECT_NEAR(spectrum_of({3.0, 3.0, 3.0, 3.0}).effective_rank, 4.0, 4.0 * rounding);
  EXPECT_DOUBLE_EQ(spectrum_of({3.0, 0.0, 0.0}).effective_rank, 1.0);
  EXPECT_DOUBLE_EQ(spectrum_of({1e-300}).effective_rank, 1.0);
}

TEST(SpectrumTest, AZeroMatrixHasNoRankButANorm) {
  const Spectrum s = spectrum_of(singular_values(2, 2, {0.0, 0.0, 0.0, 0.0}));
  EXPECT_EQ(s.nuclear, 0.0);
  EXPECT_TRUE(std::isnan(s.effective_rank));
  EXPECT_TRUE(std::isnan(s.stable_rank));
}

TEST(SpectrumTest, AMatrixThatIsNotFiniteIsAnError) {
  EXPECT_THROW((void)singular_values(1, 1, {std::numeric_limits<double>::quiet_NaN()}), Error);
}

TEST(SpectrumTest, DistancesAreRelativeToTheSecond) {
  const std::vector<double> a{1.0, 2.0, 3.0, 4.0}, b{1.0, 2.0, 0.0, 0.0};  // columns (1, 2) and (3, 4)
  EXPECT_DOUBLE_EQ(relative_distance(a, b), 5.0 / std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(relative_distance_1(2, a, b), 7.0 / 3.0);
  EXPECT_TRUE(std::isnan(relative_distance(a, {0.0, 0.0, 0.0, 0.0})));
}

TEST(SpectrumTest, AlignmentIsOneForMultiplesAndZeroForOrthogonalMatrices) {
  EXPECT_DOUBLE_EQ(alignment({1.0, 2.0}, {2.0, 4.0}), 1.0);
  EXPECT_DOUBLE_EQ(alignment({1.0, 2.0}, {-2.0, -4.0}), -1.0);
  EXPECT_DOUBLE_EQ(alignment({1.0, 2.0}, {-2.0, 1.0}), 0.0);
}

TEST(SpectrumTest, SolvingFromTheRightUndoesAProductAndElseIsOrthogonalToTheRest) {
  // T is 2 x 3 of rank 2, W 1 x 2, all column-major.
  const std::vector<double> t{1.0, 0.5, -1.0, 2.0, 0.0, 1.0}, w{3.0, -2.0};
  std::vector<double> product(3);
  for (std::size_t j = 0; j < 3; ++j) product[j] = w[0] * t[2 * j] + w[1] * t[2 * j + 1];
  const std::vector<double> found = solve_from_right(1, 2, 3, t, product);
  EXPECT_NEAR(found[0], 3.0, 10.0 * rounding);
  EXPECT_NEAR(found[1], -2.0, 10.0 * rounding);
  const std::vector<double> other{1.0, 1.0, 1.0}, near = solve_from_right(1, 2, 3, t, other);
  for (std::size_t row = 0; row < 2; ++row) {
    double inner = 0.0;
    for (std::size_t j = 0; j < 3; ++j)
      inner += (near[0] * t[2 * j] + near[1] * t[2 * j + 1] - other[j]) * t[2 * j + row];
    EXPECT_NEAR(inner, 0.0, 10.0 * rounding);
  }
}

}  // namespace
}  // namespace poise::compare
