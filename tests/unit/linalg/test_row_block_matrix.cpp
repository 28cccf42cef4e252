#include <gtest/gtest.h>

#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/row_block_matrix.hpp"

namespace poise {
namespace {

/// Every rank can compute every entry, so distributed products are compared with plain loops over all of m.
double matrix_entry(Index i, Index j) {
  return CounterRandom(1, Stream::weights_a).normal(i, j);
}
double state_entry(Index i, Index c) {
  return CounterRandom(2, Stream::weights_a).normal(i, c);
}
double other_entry(Index i, Index c) {
  return CounterRandom(3, Stream::weights_a).normal(i, c);
}

class RowBlocks : public testing::TestWithParam<Index> {
 protected:
  RowBlocks() : grid(MPI_COMM_WORLD), m(GetParam()), matrix(grid.world(), grid.world_offsets(m)) {
    for (Index i = 0; i < matrix.local_rows(); ++i)
      for (Index j = 0; j < m; ++j) matrix.rows()[i * m + j] = matrix_entry(matrix.row_begin() + i, j);
  }
  template <class Entry>
  std::vector<double> block(Index p, Entry entry) const {
    std::vector<double> x(static_cast<std::size_t>(matrix.local_rows() * p));
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < matrix.local_rows(); ++i)
        x[static_cast<std::size_t>(c * matrix.local_rows() + i)] = entry(matrix.row_begin() + i, c);
    return x;
  }
  template <class Entry>
  void expect_block(const std::vector<double>& y, Index p, Entry entry) const {
    const double rounding = 1e-13 * static_cast<double>(m);
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < matrix.local_rows(); ++i)
        EXPECT_NEAR(y[static_cast<std::size_t>(c * matrix.local_rows() + i)],
                    entry(matrix.row_begin() + i, c), rounding);
  }
  ProcessGrid grid;
  Index m;
  RowBlockMatrix matrix;
};

TEST_P(RowBlocks, ProductEqualsTheSumOverAllRows) {
  for (const Index p : {1, 3, 40}) {
    std::vector<double> y(static_cast<std::size_t>(matrix.local_rows() * p), -1.0);
    matrix.multiply(p, block(p, state_entry).data(), y.data());
    expect_block(y, p, [&](Index i, Index c) {
      double sum = 0.0;
      for (Index j = 0; j < m; ++j) sum += matrix_entry(i, j) * state_entry(j, c);
      return sum;
    });
  }
}

TEST_P(RowBlocks, TransposedProductEqualsTheSumOverAllColumns) {
  for (const Index p : {1, 3, 40}) {
    std::vector<double> y(static_cast<std::size_t>(matrix.local_rows() * p), -1.0);
    matrix.multiply_transpose(p, block(p, state_entry).data(), y.data());
    expect_block(y, p, [&](Index i, Index c) {
      double sum = 0.0;
      for (Index j = 0; j < m; ++j) sum += matrix_entry(j, i) * state_entry(j, c);
      return sum;
    });
  }
}

TEST_P(RowBlocks, OuterProductIsAddedEntryByEntry) {
  const Index p = 5;
  matrix.add_outer_product(p, block(p, state_entry).data(), block(p, other_entry).data());
  for (Index i = 0; i < matrix.local_rows(); ++i) {
    for (Index j = 0; j < m; ++j) {
      double expected = matrix_entry(matrix.row_begin() + i, j);
      for (Index c = 0; c < p; ++c) expected += state_entry(matrix.row_begin() + i, c) * other_entry(j, c);
      EXPECT_NEAR(matrix.rows()[i * m + j], expected, 1e-13);
    }
  }
}

// Widths 1, 2 and 3 leave ranks without rows when there are four of them.
INSTANTIATE_TEST_SUITE_P(Widths, RowBlocks, testing::Values(1, 2, 3, 16, 37));

}  // namespace
}  // namespace poise
