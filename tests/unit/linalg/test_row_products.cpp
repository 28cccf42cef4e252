#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "poise/base/random.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
namespace {

struct Shape {
  Index rows, cols, p;
};

/// Arrays with gaps between their rows and columns, which products must neither read nor write.
class RowProducts : public testing::TestWithParam<Shape> {
 protected:
  static constexpr Index gap = 3;
  static constexpr double untouched = -7.0;
  static std::vector<double> random(std::uint64_t seed, Index size) {
    const CounterRandom random(seed, Stream::test_direction);
    std::vector<double> x;
    for (Index i = 0; i < size; ++i) x.push_back(random.normal(static_cast<std::uint64_t>(i)));
    return x;
  }
  /// Compares y (rows x p, stride rows + gap) with `expected(i, c)`.
  template <class Expected>
  void expect(const std::vector<double>& y, Index size, Expected expected) const {
    const double rounding = 1e-14 * static_cast<double>(rows + cols);
    for (Index c = 0; c < p; ++c) {
      for (Index i = 0; i < size; ++i)
        EXPECT_NEAR(y[c * (size + gap) + i], expected(i, c), rounding) << i << ", " << c;
      for (Index i = size; i < size + gap; ++i) EXPECT_EQ(y[c * (size + gap) + i], untouched);
    }
  }
  const Index rows = GetParam().rows, cols = GetParam().cols, p = GetParam().p;
  const Index stride = cols + gap;
  const std::vector<double> matrix = random(1, rows* stride);
};

TEST_P(RowProducts, ProductEqualsPlainLoops) {
  const std::vector<double> x = random(2, p * (cols + gap));
  std::vector<double> y(static_cast<std::size_t>(p * (rows + gap)), untouched);
  for (const bool add : {false, true}) {
    multiply_rows(rows, cols, p, matrix.data(), stride, x.data(), cols + gap, add, y.data(), rows + gap);
    expect(y, rows, [&](Index i, Index c) {
      double sum = 0.0;
      for (Index j = 0; j < cols; ++j) sum += matrix[i * stride + j] * x[c * (cols + gap) + j];
      return add ? 2.0 * sum : sum;
    });
  }
}

TEST_P(RowProducts, TransposedProductEqualsPlainLoops) {
  const std::vector<double> x = random(3, p * (rows + gap));
  std::vector<double> y(static_cast<std::size_t>(p * (cols + gap)), untouched);
  for (const bool add : {false, true}) {
    multiply_rows_transpose(rows, cols, p, matrix.data(), stride, x.data(), rows + gap, add, y.data(),
                            cols + gap);
    expect(y, cols, [&](Index j, Index c) {
      double sum = 0.0;
      for (Index i = 0; i < rows; ++i) sum += matrix[i * stride + j] * x[c * (rows + gap) + i];
      return add ? 2.0 * sum : sum;
    });
  }
}

TEST_P(RowProducts, WeightedOuterProductEqualsPlainLoops) {
  const std::vector<double> x = random(4, p * rows);
  const std::vector<double> y = random(5, p * cols);
  const std::vector<double> shift = random(6, cols);
  std::vector<double> out(matrix.size(), untouched);
  weighted_outer_product(rows, cols, p, x.data(), rows, y.data(), cols, shift.data(), matrix.data(), stride,
                         out.data(), stride);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      double sum = -shift[j];
      for (Index c = 0; c < p; ++c) sum += x[c * rows + i] * y[c * cols + j];
      EXPECT_NEAR(out[i * stride + j], matrix[i * stride + j] * sum, 1e-13);
    }
    for (Index j = cols; j < stride; ++j) EXPECT_EQ(out[i * stride + j], untouched);
  }
}

TEST_P(RowProducts, ANotANumberReachesTheResult) {
  std::vector<double> poisoned(matrix);
  poisoned[0] = std::nan("");
  const std::vector<double> x(static_cast<std::size_t>(p * (rows + cols)), 0.0);
  std::vector<double> y(x);
  multiply_rows(rows, cols, p, poisoned.data(), stride, x.data(), cols, false, y.data(), rows);
  EXPECT_TRUE(std::isnan(y[0]));
  multiply_rows_transpose(rows, cols, p, poisoned.data(), stride, x.data(), rows, false, y.data(), cols);
  EXPECT_TRUE(std::isnan(y[0]));
}

// Full tiles, every remainder of rows, columns and p, several blocks of columns, and sizes for dgemm.
INSTANTIATE_TEST_SUITE_P(Shapes, RowProducts,
                         testing::Values(Shape{1, 1, 1}, Shape{4, 8, 5}, Shape{7, 13, 1}, Shape{5, 37, 2},
                                         Shape{18, 9, 3}, Shape{33, 71, 4}, Shape{3, 40, 6},
                                         Shape{21, 515, 10}, Shape{6, 1100, 7}, Shape{40, 24, 16},
                                         Shape{9, 17, 17}, Shape{12, 30, 40}));

TEST(RowProductsOfNothing, LeaveZeros) {
  std::vector<double> y(4, 1.0);
  multiply_rows(2, 0, 2, nullptr, 1, nullptr, 1, false, y.data(), 2);
  EXPECT_EQ(y, std::vector<double>(4, 0.0));
  y.assign(4, 1.0);
  multiply_rows_transpose(0, 2, 2, nullptr, 1, nullptr, 1, false, y.data(), 2);
  EXPECT_EQ(y, std::vector<double>(4, 0.0));
}

}  // namespace
}  // namespace poise
