#include <gtest/gtest.h>

#include "poise/base/error.hpp"
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

TEST(RowBlockMatrixByPetsc, ProductsAreThoseOfBlasAlsoWhenEntriesChange) {
  const Index m = 37, p = 40;
  const auto product = [&](RowBlockMatrix& matrix, double scale, bool transposed) {
    for (Index e = 0; e < m * m; ++e) matrix.rows()[e] = scale * matrix_entry(e / m, e % m);
    std::vector<double> x(m * p), y(m * p);
    for (Index e = 0; e < m * p; ++e) x[e] = state_entry(e % m, e / m);
    transposed ? matrix.multiply_transpose(p, x.data(), y.data()) : matrix.multiply(p, x.data(), y.data());
    return y;
  };
  RowBlockMatrix blas(MPI_COMM_SELF, {0, m});
  RowBlockMatrix petsc(MPI_COMM_SELF, {0, m}, "dense");
  for (const double scale : {1.0, -2.0, 3.0})
    for (const bool transposed : {false, true}) {
      const auto expected = product(blas, scale, transposed);
      const auto found = product(petsc, scale, transposed);
      for (std::size_t e = 0; e < expected.size(); ++e) EXPECT_NEAR(found[e], expected[e], 1e-12);
    }
}

TEST(RowBlockMatrixByPetsc, RefusesATypeThatIsNotDense) {
  EXPECT_THROW(RowBlockMatrix(MPI_COMM_SELF, {0, 5}, "aij"), Error);
}

// Widths 1, 2 and 3 leave ranks without rows when there are four of them.
INSTANTIATE_TEST_SUITE_P(Widths, RowBlocks, testing::Values(1, 2, 3, 16, 37));

struct Sizes {
  Index rows, columns;
};

/// The rectangular form: rows and columns are distributed by different offsets.
class RectangularRowBlocks : public testing::TestWithParam<Sizes> {
 protected:
  RectangularRowBlocks()
      : grid(MPI_COMM_WORLD),
        rows(part(GetParam().rows)),
        columns(part(GetParam().columns)),
        matrix(grid.world(), grid.world_offsets(GetParam().rows), grid.world_offsets(GetParam().columns)) {
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < matrix.width(); ++j)
        matrix.rows()[i * matrix.width() + j] = matrix_entry(rows.begin + i, j);
  }
  [[nodiscard]] Range part(Index n) const { return block_range(n, grid.size(), grid.rank()); }
  template <class Entry>
  static std::vector<double> block(const Range& range, Index p, Entry entry) {
    std::vector<double> x;
    for (Index c = 0; c < p; ++c)
      for (Index i = range.begin; i < range.end; ++i) x.push_back(entry(i, c));
    return x;
  }
  template <class Entry>
  static void expect_block(const Range& range, const std::vector<double>& y, Index p, Entry entry) {
    const std::vector<double> expected = block(range, p, entry);
    const double rounding = 1e-13 * static_cast<double>(GetParam().rows + GetParam().columns);
    for (std::size_t e = 0; e < y.size(); ++e) EXPECT_NEAR(y[e], expected[e], rounding);
  }
  ProcessGrid grid;
  Range rows, columns;
  RowBlockMatrix matrix;
};

TEST_P(RectangularRowBlocks, KnowTheirShape) {
  EXPECT_EQ(matrix.width(), GetParam().columns);
  EXPECT_EQ(matrix.local_rows(), rows.size());
  EXPECT_EQ(matrix.local_columns(), columns.size());
}

TEST_P(RectangularRowBlocks, ProductEqualsTheSumOverAllColumns) {
  for (const Index p : {1, 3, 40}) {
    std::vector<double> y(static_cast<std::size_t>(rows.size() * p), -1.0);
    matrix.multiply(p, block(columns, p, state_entry).data(), y.data());
    expect_block(rows, y, p, [](Index i, Index c) {
      double sum = 0.0;
      for (Index j = 0; j < GetParam().columns; ++j) sum += matrix_entry(i, j) * state_entry(j, c);
      return sum;
    });
  }
}

TEST_P(RectangularRowBlocks, TransposedProductEqualsTheSumOverAllRows) {
  for (const Index p : {1, 3, 40}) {
    std::vector<double> y(static_cast<std::size_t>(columns.size() * p), -1.0);
    matrix.multiply_transpose(p, block(rows, p, state_entry).data(), y.data());
    expect_block(columns, y, p, [](Index j, Index c) {
      double sum = 0.0;
      for (Index i = 0; i < GetParam().rows; ++i) sum += matrix_entry(i, j) * state_entry(i, c);
      return sum;
    });
  }
}

TEST_P(RectangularRowBlocks, OuterProductIsAddedEntryByEntry) {
  const Index p = 5;
  matrix.add_outer_product(p, block(rows, p, state_entry).data(), block(columns, p, other_entry).data());
  for (Index i = 0; i < rows.size(); ++i) {
    for (Index j = 0; j < matrix.width(); ++j) {
      double expected = matrix_entry(rows.begin + i, j);
      for (Index c = 0; c < p; ++c) expected += state_entry(rows.begin + i, c) * other_entry(j, c);
      EXPECT_NEAR(matrix.rows()[i * matrix.width() + j], expected, 1e-13);
    }
  }
}

// Wide and tall matrices; also ranks with rows but no columns, or with columns but no rows.
INSTANTIATE_TEST_SUITE_P(Shapes, RectangularRowBlocks,
                         testing::Values(Sizes{1, 1}, Sizes{1, 9}, Sizes{9, 1}, Sizes{3, 2}, Sizes{16, 5},
                                         Sizes{7, 37}, Sizes{40, 23}));

}  // namespace
}  // namespace poise
