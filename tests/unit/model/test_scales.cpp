#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/model/scales.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

constexpr Index samples = 10;

/// The columns of these samples on this rank, column-major, one column per sample.
std::vector<double> own(const ProcessGrid& grid, Index columns, double (*value)(Index, Index)) {
  std::vector<double> x;
  const Range range = grid.samples(samples);
  for (Index i = range.begin; i < range.end; ++i)
    for (Index j = 0; j < columns; ++j) x.push_back(value(i, j));
  return x;
}

TEST(ColumnStatistics, KeepTheirDigitsAtAnyOffsetAndSize) {
  // 0..9 has mean 4.5 and variance 8.25, before it is shifted and multiplied.
  const auto value = [](Index i, Index j) {
    const double k = static_cast<double>(i);
    switch (j) {
      case 0:
        return k;
      case 1:
        return 1e15 + k;
      case 2:
        return 1e200 * k;
      case 3:
        return 1e-200 * k;
      default:
        return 0.1;  // constant: 10 · 0.1 is not 1 in every order of sums
    }
  };
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const std::vector<double> x = own(grid, 5, value);
    const ColumnStatistics s = column_statistics(grid, 5, grid.samples(samples).size(), x.data());
    const double deviation = std::sqrt(8.25);
    for (const auto& [column, shift, unit] :
         {std::tuple{0, 0.0, 1.0}, {1, 1e15, 1.0}, {2, 0.0, 1e200}, {3, 0.0, 1e-200}}) {
      const auto j = static_cast<std::size_t>(column);
      EXPECT_NEAR((s.mean[j] - shift) / unit, 4.5, 1e-13 + 0.2 * (shift > 0.0)) << column;
      EXPECT_NEAR(s.deviation[j] / unit, deviation, 1e-13 * deviation) << column;
      EXPECT_TRUE(s.varies(column));
    }
    EXPECT_FALSE(s.varies(4));
    EXPECT_EQ(s.mean[4], 0.1);
  }
}

TEST(TargetScale, GivesTargetsOfMeanZeroAndVarianceOneAndOneUnitOfTheLoss) {
  const auto value = [](Index i, Index j) {
    return j == 0 ? 1e6 + static_cast<double>(i) : 3.0 * static_cast<double>(i);
  };
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Index count = grid.samples(samples).size();
    std::vector<double> y = own(grid, 2, value);
    const TargetScale scale = TargetScale::fit(grid, 2, count, y.data(), true);
    const double expected = std::sqrt(8.25 * (1.0 + 9.0) / 2.0);
    EXPECT_NEAR(scale.scale, expected, 1e-12 * expected);
    EXPECT_NEAR(scale.loss_unit(), expected * expected, 1e-11 * expected);
    EXPECT_NEAR(scale.shift[0], 1e6 + 4.5, 1e-9);
    scale.apply(y);
    const Range range = grid.samples(samples);
    for (Index i = 0; i < count; ++i)
      EXPECT_NEAR(y[2 * i + 1], 3.0 * (static_cast<double>(range.begin + i) - 4.5) / expected, 1e-13);
    const TargetScale plain = TargetScale::fit(grid, 2, count, own(grid, 2, value).data(), false);
    EXPECT_EQ(plain.shift[0], 0.0);  // without a constant feature, a shift would change the problem
  }
}

TEST(TargetScale, WhoseSquareOverflowsIsRefused) {
  const ProcessGrid grid(MPI_COMM_WORLD, 1);
  const auto value = [](Index i, Index) { return 1e200 * static_cast<double>(i); };
  const std::vector<double> y = own(grid, 1, value);
  EXPECT_THROW((void)TargetScale::fit(grid, 1, grid.samples(samples).size(), y.data(), true), Error);
}

}  // namespace
}  // namespace poise
