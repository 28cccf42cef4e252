#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/model/parameter_layout.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::all_entries;
using testing_support::feature_rank_choices;

constexpr Index outputs = 2;

std::vector<ParameterBlock> three_blocks(Index m) {
  return {{.name = "A", .columns = m},
          {.name = "V", .columns = 5, .scale = 0.5},
          {.name = "b", .columns = 1, .scale = 0.0}};
}

TEST(ParameterLayout, BlocksFollowEachOtherAndTheReadoutIsTheLast) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 7, outputs, three_blocks(7));
  ASSERT_EQ(layout.blocks().size(), 3u);
  EXPECT_EQ(layout.block_of("A").offset, 0);
  EXPECT_EQ(layout.block_of("V").offset, 7);
  EXPECT_EQ(layout.block_of("b").offset, 12);
  EXPECT_EQ(layout.readout_offset(), 13);
  EXPECT_EQ(layout.row_length(), 15);
  EXPECT_THROW((void)layout.block_of("Q"), Error);
}

TEST(ParameterLayout, WithoutBlocksThereIsTheSquareMatrixA) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 7, outputs);
  EXPECT_EQ(layout.block_of("A").columns, 7);
  EXPECT_EQ(layout.row_length(), 9);
}

TEST(ParameterLayout, SlicesMakeUpBlocksAndBlocksMakeUpAllRows) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Index m : {1, 2, 3, 14}) {
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, outputs, three_blocks(m));
      EXPECT_EQ(layout.slice_offsets().back(), m);
      EXPECT_EQ(layout.block_offsets().back(), m);
      EXPECT_LE(layout.block().begin, layout.slice().begin);
      EXPECT_GE(layout.block().end, layout.slice().end);
      Index rows = layout.slice().size();
      MPI_Allreduce(MPI_IN_PLACE, &rows, 1, MPI_INT64_T, MPI_SUM, grid.sample());
      EXPECT_EQ(rows, layout.block().size());
      PetscInt size = 0;
      check(VecGetSize(layout.create().get(), &size));
      EXPECT_EQ(size, m * layout.row_length());
    }
  }
}

TEST(ParameterLayout, InitialValuesDoNotDependOnTheGrid) {
  for (const Index m : {1, 2, 3, 14}) {
    std::vector<double> reference;
    for (const int feature_ranks : feature_rank_choices()) {
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, outputs, three_blocks(m));
      const VecHandle theta = layout.create();
      layout.initialise(theta.get(), 5, 1.5, 1.0);
      const std::vector<double> now = all_entries(theta.get());
      if (reference.empty()) reference = now;
      EXPECT_EQ(now, reference);
    }
    const CounterRandom first(5, Stream::weights_a);
    EXPECT_EQ(reference.front(), 1.5 * first.normal(0, 0));
  }
}

TEST(ParameterLayout, InitialValuesHaveTheScaleOfTheirBlock) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const Index m = 300;
  const ParameterLayout layout(grid, m, outputs, three_blocks(m));
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 5, 2.0, 3.0);
  const std::vector<double> all = all_entries(theta.get());
  const auto deviation = [&](Index offset, Index columns) {
    double sum = 0.0;
    for (Index i = 0; i < m; ++i)
      for (Index j = offset; j < offset + columns; ++j)
        sum += std::pow(all[static_cast<std::size_t>(i * layout.row_length() + j)], 2);
    return std::sqrt(sum / static_cast<double>(m * columns));
  };
  EXPECT_NEAR(deviation(0, m), 2.0, 0.05);
  EXPECT_NEAR(deviation(layout.block_of("V").offset, 5), 2.0 * 0.5, 0.1);
  EXPECT_EQ(deviation(layout.block_of("b").offset, 1), 0.0);
  EXPECT_NEAR(deviation(layout.readout_offset(), outputs), 3.0 / std::sqrt(300.0), 0.02);
}

TEST(ParameterLayout, GatheringSlicesGivesTheBlockAndReducingItSumsOverSampleRanks) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Index m : {1, 3, 14}) {
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, outputs);
      const Index columns = 4;
      const auto entry = [](Index i, Index j) { return static_cast<double>(10 * i + j); };
      std::vector<double> slice, block(static_cast<std::size_t>(layout.block().size() * columns));
      for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
        for (Index j = 0; j < columns; ++j) slice.push_back(entry(i, j));
      layout.gather_block(slice.data(), columns, block.data());
      for (Index i = 0; i < layout.block().size(); ++i)
        for (Index j = 0; j < columns; ++j)
          EXPECT_EQ(block[static_cast<std::size_t>(i * columns + j)], entry(layout.block().begin + i, j));
      std::vector<double> sum(slice.size());
      layout.reduce_block(block.data(), columns, sum.data());
      for (std::size_t e = 0; e < sum.size(); ++e) EXPECT_EQ(sum[e], grid.sample_ranks() * slice[e]);
    }
  }
}

}  // namespace
}  // namespace poise
