#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/model/loss.hpp"

namespace poise {
namespace {

class Losses : public testing::TestWithParam<const Loss*> {
 protected:
  Losses() : q(GetParam() == logistic_loss() ? 1 : 4) {
    const CounterRandom random(1, Stream::test_direction);
    for (Index i = 0; i < p; ++i) {
      const auto label = static_cast<Index>(random.uniform(i) * 4);
      for (Index c = 0; c < q; ++c) {
        f.push_back(3.0 * random.normal(i, c));
        direction.push_back(random.normal(i, c + 10));
        y.push_back(q == 1 ? static_cast<double>(label % 2) : (c == label ? 1.0 : 0.0));
      }
    }
  }
  double loss_at(double h) const {
    std::vector<double> shifted(f);
    for (std::size_t e = 0; e < f.size(); ++e) shifted[e] += h * direction[e];
    return GetParam()->evaluate(q, p, shifted.data(), y.data(), nullptr).loss;
  }
  const Index p = 30;
  Index q;
  std::vector<double> f, y, direction;
};

TEST_P(Losses, GradientHasTaylorRemainderOfSecondOrder) {
  std::vector<double> gradient(f.size());
  const double value = GetParam()->evaluate(q, p, f.data(), y.data(), gradient.data()).loss;
  double slope = 0.0;
  for (std::size_t e = 0; e < f.size(); ++e) slope += gradient[e] * direction[e];
  const double coarse = std::abs(loss_at(1e-3) - value - 1e-3 * slope);
  const double fine = std::abs(loss_at(5e-4) - value - 5e-4 * slope);
  EXPECT_GE(std::log2(coarse / fine), 1.9);
  EXPECT_LE(std::log2(coarse / fine), 2.1);
}

TEST_P(Losses, GradientMayOverwriteTheOutputs) {
  std::vector<double> gradient(f.size());
  std::vector<double> in_place(f);
  const LossSum a = GetParam()->evaluate(q, p, f.data(), y.data(), gradient.data());
  const LossSum b = GetParam()->evaluate(q, p, in_place.data(), y.data(), in_place.data());
  EXPECT_EQ(gradient, in_place);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.correct, b.correct);
}

TEST_P(Losses, HugeOutputsGiveAFiniteLossUnlessItIsQuadratic) {
  for (double& entry : f) entry *= 1e4;
  std::vector<double> gradient(f.size());
  const LossSum sum = GetParam()->evaluate(q, p, f.data(), y.data(), gradient.data());
  EXPECT_TRUE(std::isfinite(sum.loss));
  for (const double entry : gradient) EXPECT_TRUE(std::isfinite(entry));
}

TEST_P(Losses, ANotANumberIsNotHidden) {
  f[5] = std::nan("");
  EXPECT_TRUE(std::isnan(GetParam()->evaluate(q, p, f.data(), y.data(), nullptr).loss));
}

TEST_P(Losses, CurvatureIsTheDerivativeOfTheGradientAndBelowItsLargestValue) {
  std::vector<double> direction(f.size()), there(f), forward(f.size()), backward(f.size());
  for (std::size_t e = 0; e < f.size(); ++e) direction[e] = std::cos(3.0 * static_cast<double>(e));
  constexpr double step = 1e-5;
  for (std::size_t e = 0; e < f.size(); ++e) there[e] = f[e] + step * direction[e];
  (void)GetParam()->evaluate(q, p, there.data(), y.data(), forward.data());
  for (std::size_t e = 0; e < f.size(); ++e) there[e] = f[e] - step * direction[e];
  (void)GetParam()->evaluate(q, p, there.data(), y.data(), backward.data());
  std::vector<double> probabilities(f.size()), product(direction);
  GetParam()->linearise(q, p, f.data(), probabilities.data());
  GetParam()->multiply_curvature(q, p, probabilities.data(), product.data());
  double quotient = 0.0, norm2 = 0.0;
  for (std::size_t e = 0; e < f.size(); ++e) {
    // The quotient is right to step² and to 1e-16 over the step.
    EXPECT_NEAR(product[e], (forward[e] - backward[e]) / (2.0 * step), 1e-8);
    quotient += direction[e] * product[e];
    norm2 += direction[e] * direction[e];
  }
  EXPECT_GT(quotient, 0.0);
  EXPECT_LE(quotient, (1.0 + 1e-15) * GetParam()->largest_curvature() * norm2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Losses,
                         testing::Values(squared_loss(), logistic_loss(), cross_entropy_loss()),
                         [](const auto& info) { return info.param->name(); });

TEST(CrossEntropy, EqualScoresCostTheLogarithmOfTheNumberOfClasses) {
  const double f[] = {7.0, 7.0, 7.0};
  const double y[] = {0.0, 1.0, 0.0};
  EXPECT_NEAR(cross_entropy_loss()->evaluate(3, 1, f, y, nullptr).loss, std::log(3.0), 1e-15);
}

TEST(LinearLoss, IsTheProductWithTheTargetsAndNoOptionOfTraining) {
  const double f[] = {1.0, -2.0, 3.0, 0.5};
  const double y[] = {2.0, 1.0, -1.0, 4.0};
  double gradient[4];
  EXPECT_EQ(linear_loss()->evaluate(2, 2, f, y, gradient).loss, -1.0);
  for (int k = 0; k < 4; ++k) EXPECT_EQ(gradient[k], y[k]);
  EXPECT_THROW((void)find_loss(linear_loss()->name()), Error);
}

}  // namespace
}  // namespace poise
