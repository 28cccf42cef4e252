#include <gtest/gtest.h>

#include "poise/base/process_grid.hpp"
#include "poise/linalg/slice_transpose.hpp"

namespace poise {
namespace {

class SliceTransposes : public testing::TestWithParam<Index> {
 protected:
  static double entry(Index i, Index j) { return static_cast<double>(1000 * i + j); }
  /// Transposes the matrix of `entry` with rows distributed by `offsets`, with gaps between the rows, and
  /// checks every entry.
  static void expect_transpose(const ProcessGrid& grid, const std::vector<Index>& offsets) {
    const Index m = offsets.back();
    const Index stride = m + 3;
    const auto rank = static_cast<std::size_t>(grid.rank());
    const Range own{offsets[rank], offsets[rank + 1]};
    std::vector<double> rows(static_cast<std::size_t>(own.size() * stride), -1.0);
    for (Index i = 0; i < own.size(); ++i)
      for (Index j = 0; j < m; ++j) rows[static_cast<std::size_t>(i * stride + j)] = entry(own.begin + i, j);
    std::vector<double> out(static_cast<std::size_t>(own.size() * m), -1.0);
    SliceTranspose transpose(grid.world(), offsets);
    for (int pass = 0; pass < 2; ++pass) {
      transpose.apply(rows.data(), stride, out.data());
      for (Index i = 0; i < own.size(); ++i)
        for (Index j = 0; j < m; ++j)
          ASSERT_EQ(out[static_cast<std::size_t>(i * m + j)], entry(j, own.begin + i));
    }
  }
};

TEST_P(SliceTransposes, MoveEveryEntryToItsPlace) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  expect_transpose(grid, grid.world_offsets(GetParam()));
}

TEST_P(SliceTransposes, WorkWithAllRowsOnTheLastRank) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  std::vector<Index> offsets(static_cast<std::size_t>(grid.size()) + 1, 0);
  offsets.back() = GetParam();
  expect_transpose(grid, offsets);
}

// Widths 1, 2 and 3 leave ranks without rows; 37 and 70 are more than one tile, and not a multiple of a tile.
INSTANTIATE_TEST_SUITE_P(Widths, SliceTransposes, testing::Values(1, 2, 3, 16, 37, 70));

}  // namespace
}  // namespace poise
