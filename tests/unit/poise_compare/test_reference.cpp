#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/random.hpp"
#include "poise_compare/study.hpp"

namespace poise::compare {
namespace {

constexpr Index d = 4, q = 2, n = 30;

/// Samples of this rank, inputs x count.
std::vector<double> inputs_of(const ProcessGrid& grid) {
  const CounterRandom random(3, Stream::synthetic_inputs);
  std::vector<double> x;
  const Range rows = grid.samples(n);
  for (Index i = rows.begin; i < rows.end; ++i)
    for (Index j = 0; j < d; ++j) x.push_back(1.0 + static_cast<double>(j + 1) * random.normal(i, j));
  return x;
}

const std::vector<double> teacher{1.0, -2.0, 0.5, 3.0, 0.0, 1.0, 1.0, -1.0};  // q x d, row-major

TEST(TeacherTest, ItsWeightsGiveTheTeachersOutputsThroughLinearFeatures) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = inputs_of(grid);
  const Index count = static_cast<Index>(x.size()) / d;
  for (const auto& map : {identity_features(), whiten_features()}) {
    const Features features = FeatureSettings{.map = map}.fit(grid, d, count, x.data());
    const std::vector<double> w = teacher_in_features(features, q, teacher);
    const Index m = features.width();
    ASSERT_EQ(w.size(), static_cast<std::size_t>(q * m));
    std::vector<double> phi(static_cast<std::size_t>(m * count));
    features.apply(count, x.data(), phi.data());
    for (Index i = 0; i < count; ++i)
      for (Index c = 0; c < q; ++c) {
        double expected = 0.0, found = 0.0;
        for (Index j = 0; j < d; ++j) expected += teacher[static_cast<std::size_t>(c * d + j)] * x[i * d + j];
        for (Index j = 0; j < m; ++j) found += w[static_cast<std::size_t>(j * q + c)] * phi[i * m + j];
        EXPECT_NEAR(found, expected, 1e-12 * (1.0 + std::abs(expected)));
      }
  }
}

TEST(TeacherTest, ThereIsNoneInFeaturesThatAreNotLinearOrForOtherOutputs) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = inputs_of(grid);
  const Index count = static_cast<Index>(x.size()) / d;
  const Features relu =
      FeatureSettings{.map = random_relu_features(), .width = 6}.fit(grid, d, count, x.data());
  EXPECT_TRUE(teacher_in_features(relu, q, teacher).empty());
  const Features identity = FeatureSettings{}.fit(grid, d, count, x.data());
  EXPECT_TRUE(teacher_in_features(identity, q, {}).empty());
  EXPECT_TRUE(teacher_in_features(identity, 1, teacher).empty());
}

TEST(SpreadTest, MedianIsTheMiddleOrTheMeanOfTheTwoInTheMiddle) {
  EXPECT_EQ(spread_of({3.0, 1.0, 2.0}).median, 2.0);
  const Spread even = spread_of({4.0, 1.0, 2.0, 3.0});
  EXPECT_EQ(even.median, 2.5);
  EXPECT_EQ(even.low, 1.0);
  EXPECT_EQ(even.high, 4.0);
  EXPECT_TRUE(std::isnan(spread_of({}).median));
}

}  // namespace
}  // namespace poise::compare
