#include <gtest/gtest.h>

#include <cmath>

#include "poise/audit/differences.hpp"

namespace poise {
namespace {

DifferenceCheck compare(const std::function<double(double)>& f, double slope, double noise = 1e-15) {
  return compare_differences(
      [&](double h) { return std::vector<double>{(f(1.0 + h) - f(1.0 - h)) / (2.0 * h)}; }, {slope},
      [](const std::vector<double>& x) { return std::abs(x[0]); }, std::abs(slope), 1e-2, noise);
}

TEST(Differences, ADerivativeIsFoundWithinItsTolerance) {
  for (const double frequency : {1.0, 5.0, 30.0}) {
    const auto found =
        compare([&](double x) { return std::sin(frequency * x); }, frequency * std::cos(frequency));
    EXPECT_LE(found.error, found.tolerance) << frequency;
    EXPECT_LE(found.tolerance, frequency < 10.0 ? 1e-6 : 1e-4) << frequency;  // the tolerance is not trivial
  }
}

TEST(Differences, AWrongDerivativeIsReported) {
  for (const double wrong : {1e-5, 1e-3, 1.0, -2.0}) {
    const auto found = compare([](double x) { return std::exp(x); }, std::exp(1.0) * (1.0 + wrong));
    EXPECT_GT(found.error, found.tolerance) << wrong;
  }
}

TEST(Differences, NoiseThatIsStatedIsAllowedFor) {
  const auto noisy = [](double x) { return std::exp(x) + 1e-9 * std::sin(1e9 * x); };
  const auto found = compare(noisy, std::exp(1.0), 1e-9);
  EXPECT_LE(found.error, found.tolerance);
  EXPECT_LE(found.tolerance, 1e-3);
}

TEST(Differences, AcrossAKinkStepsThatDoNotMeetItDecide) {
  const auto kinked = [](double x) { return std::max(0.0, x - 0.9995); };
  const auto found = compare(kinked, 1.0);
  EXPECT_LE(found.error, found.tolerance);
  EXPECT_LE(found.tolerance, 1e-6);
}

TEST(Differences, NotANumberFails) {
  const auto found = compare([](double) { return std::nan(""); }, 1.0);
  EXPECT_FALSE(found.error <= found.tolerance);
  const auto wrong = compare([](double x) { return x; }, std::nan(""));
  EXPECT_FALSE(wrong.error <= wrong.tolerance);
}

}  // namespace
}  // namespace poise
