#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/model/activation.hpp"

namespace poise {
namespace {

using Long = long double;

Long reference(Activation activation, Long x) {
  switch (activation) {
    case Activation::identity:
      return x;
    case Activation::tanh:
      return std::tanh(x);
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::leaky_relu:
      return x > 0 ? x : Long{leaky_slope} * x;
    case Activation::softplus:
      return std::log1p(std::exp(-std::abs(x))) + (x > 0 ? x : 0);
    case Activation::sigmoid:
      return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
  }
  return 0;
}

/// Slope by a central difference quotient of the reference: its error is h² |a'''|/6 and 1e-19 |a|/h.
Long slope_reference(Activation activation, Long x) {
  const Long h = 1e-5L;
  return (reference(activation, x + h) - reference(activation, x - h)) / (2 * h);
}
Long curvature_reference(Activation activation, Long x) {
  const Long h = 1e-4L;
  return (reference(activation, x + h) - 2 * reference(activation, x) + reference(activation, x - h)) /
         (h * h);
}

class Activations : public testing::TestWithParam<Activation> {
 protected:
  /// Numbers of all sizes and signs; a count that is no multiple of a vector register.
  static std::vector<double> wide_range() {
    std::vector<double> x{0.0,    -0.0,  1e4,    -1e4, 700.0, -700.0, 745.0,
                          -745.0, 800.0, -800.0, 40.0, -40.0, 1.0};
    const CounterRandom random(1, Stream::test_direction);
    for (int exponent = -300; exponent <= 4; exponent += 2)
      for (int k = 0; k < 5; ++k) {
        const double size =
            random.uniform(static_cast<std::uint64_t>(exponent + 400), static_cast<std::uint64_t>(k));
        x.push_back((k % 2 == 0 ? 1.0 : -1.0) * size * std::pow(10.0, exponent));
      }
    for (int k = 0; k < 2000; ++k) x.push_back(6.0 * random.normal(static_cast<std::uint64_t>(k), 100));
    return x;
  }
  static std::vector<double> moderate() {
    std::vector<double> x;
    const CounterRandom random(2, Stream::test_direction);
    while (x.size() < 501) {
      const double candidate = 3.0 * random.normal(x.size(), 1);
      x.push_back(std::abs(candidate) > 1e-3 ? candidate : 0.5);  // the kink has its own test
    }
    return x;
  }
  static std::vector<double> values(const std::vector<double>& x) {
    std::vector<double> y(x.size());
    activate(GetParam(), static_cast<Index>(x.size()), x.data(), y.data());
    return y;
  }
};

TEST_P(Activations, ValuesAreWithinAFewUnitsInTheLastPlaceOverTheWholeRange) {
  const std::vector<double> x = wide_range();
  const std::vector<double> y = values(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Long expected = reference(GetParam(), x[i]);
    // Numbers below the normal ones may be flushed to zero.
    const Long tolerance =
        8 * std::numeric_limits<double>::epsilon() * std::abs(expected) + std::numeric_limits<double>::min();
    EXPECT_LE(std::abs(y[i] - expected), tolerance) << "x = " << x[i] << ", y = " << y[i];
  }
}

TEST_P(Activations, HugeArgumentsSaturateOrGrowWithoutOverflow) {
  for (const double size : {1e4, 1e100, 1e300}) {
    const std::vector<double> y = values({size, -size});
    EXPECT_DOUBLE_EQ(y[0], static_cast<double>(reference(GetParam(), size)));
    EXPECT_DOUBLE_EQ(y[1], static_cast<double>(reference(GetParam(), -size)));
  }
}

TEST_P(Activations, AnEntryDoesNotDependOnItsPlace) {
  const std::vector<double> x = moderate();
  const std::vector<double> y = values(x);
  for (std::size_t first = 1; first < 20; ++first) {
    const std::vector<double> part(x.begin() + static_cast<std::ptrdiff_t>(first), x.end());
    const std::vector<double> y_part = values(part);
    for (std::size_t i = 0; i < part.size(); ++i) ASSERT_EQ(y_part[i], y[first + i]);
  }
}

TEST_P(Activations, SlopeFromTheValueIsTheDerivative) {
  const std::vector<double> x = moderate();
  std::vector<double> slope = values(x);
  activation_slope(GetParam(), static_cast<Index>(x.size()), slope.data(), slope.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(slope[i], static_cast<double>(slope_reference(GetParam(), x[i])), 1e-9) << "x = " << x[i];
    EXPECT_LE(slope[i], largest_slope(GetParam()) * (1.0 + 1e-15));
    EXPECT_GE(slope[i], 0.0);
  }
}

TEST_P(Activations, CurvatureFromTheValueIsTheSecondDerivative) {
  const std::vector<double> x = moderate();
  std::vector<double> curvature = values(x);
  activation_curvature(GetParam(), static_cast<Index>(x.size()), curvature.data(), curvature.data());
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(curvature[i], static_cast<double>(curvature_reference(GetParam(), x[i])), 1e-7)
        << "x = " << x[i];
}

TEST_P(Activations, SumOfTwoArgumentsIsTakenInOnePassAlsoInPlace) {
  const std::vector<double> x = moderate();
  std::vector<double> u(x.rbegin(), x.rend());
  std::vector<double> sum(x.size()), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) sum[i] = x[i] + u[i];
  const std::vector<double> expected = values(sum);
  const auto n = static_cast<Index>(x.size());
  activate_sum(GetParam(), n, x.data(), u.data(), y.data());
  EXPECT_EQ(y, expected);
  y = x;
  activate_sum(GetParam(), n, y.data(), u.data(), y.data());
  EXPECT_EQ(y, expected);
  activate_sum(GetParam(), n, x.data(), u.data(), u.data());
  EXPECT_EQ(u, expected);
}

TEST_P(Activations, OutputMayBeTheInput) {
  const std::vector<double> x = moderate();
  std::vector<double> y = x;
  activate(GetParam(), static_cast<Index>(y.size()), y.data(), y.data());
  EXPECT_EQ(y, values(x));
}

TEST_P(Activations, NothingIsWrittenBehindTheEnd) {
  for (Index n = 0; n < 20; ++n) {
    std::vector<double> y(30, 0.25);
    const std::vector<double> u(30, 0.5);
    activate(GetParam(), n, y.data(), y.data());
    activate_sum(GetParam(), n, y.data(), u.data(), y.data());
    activation_slope(GetParam(), n, y.data(), y.data());
    activation_curvature(GetParam(), n, y.data(), y.data());
    for (Index i = n; i < 30; ++i) EXPECT_EQ(y[static_cast<std::size_t>(i)], 0.25);
  }
}

TEST_P(Activations, ANotANumberIsNotHidden) {
  const std::vector<double> zero(21, 0.0);
  for (std::size_t place = 0; place < zero.size(); ++place) {
    std::vector<double> x(zero);
    x[place] = std::numeric_limits<double>::quiet_NaN();
    std::vector<double> y(x.size()), sum(x.size()), slope(x.size()), curvature(x.size());
    const auto n = static_cast<Index>(x.size());
    activate(GetParam(), n, x.data(), y.data());
    activate_sum(GetParam(), n, x.data(), zero.data(), sum.data());
    activation_slope(GetParam(), n, y.data(), slope.data());
    activation_curvature(GetParam(), n, y.data(), curvature.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i == place);
      EXPECT_EQ(std::isnan(sum[i]), i == place);
      EXPECT_EQ(std::isnan(slope[i]), i == place);
      EXPECT_EQ(std::isnan(curvature[i]), i == place);
    }
    activate_sum(GetParam(), n, zero.data(), x.data(), sum.data());
    EXPECT_TRUE(std::isnan(sum[place]));
  }
}

TEST_P(Activations, NameIsParsedBack) {
  EXPECT_EQ(parse_activation(to_string(GetParam())), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Activations,
                         testing::Values(Activation::identity, Activation::tanh, Activation::relu,
                                         Activation::leaky_relu, Activation::softplus, Activation::sigmoid),
                         [](const auto& info) { return to_string(info.param); });

TEST(ActivationKinks, TakeTheDerivativeOfTheLeftSide) {
  for (const double zero : {0.0, -0.0}) {
    double slope = -1.0;
    activation_slope(Activation::relu, 1, &zero, &slope);
    EXPECT_EQ(slope, 0.0);
    activation_slope(Activation::leaky_relu, 1, &zero, &slope);
    EXPECT_EQ(slope, leaky_slope);
  }
}

TEST(SoftplusSlope, TinyValuesKeepTheirRelativeAccuracy) {
  // softplus' = 1 − exp(−y) is y − y²/2 there, and so is the curvature to first order.
  for (const double y : {1e-3, 1e-9, 1e-20, 1e-200}) {
    double slope = 0.0;
    double curvature = 0.0;
    activation_slope(Activation::softplus, 1, &y, &slope);
    activation_curvature(Activation::softplus, 1, &y, &curvature);
    const auto expected = static_cast<double>(-std::expm1(-Long{y}));
    EXPECT_NEAR(slope, expected, 1e-15 * expected);
    EXPECT_NEAR(curvature, expected * std::exp(-y), 2e-15 * expected);
  }
}

TEST(ActivationNames, AnUnknownOneIsBadInput) {
  try {
    (void)parse_activation("gelu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
  }
}

}  // namespace
}  // namespace poise
