#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"
#include "poise/model/exponentials.hpp"

namespace poise {
namespace {

struct Slices {
  explicit Slices(Index m, double scale = 1.0)
      : grid(MPI_COMM_WORLD), rows(block_range(m, grid.size(), grid.rank())) {
    const CounterRandom random(5, Stream::weights_a);
    for (Index i = rows.begin; i < rows.end; ++i)
      for (Index j = 0; j < m; ++j) a.push_back(scale * random.normal(i, j));
    s.resize(a.size());
    column_softmax(grid.world(), rows.size(), m, a.data(), m, s.data());
  }
  ProcessGrid grid;
  Range rows;
  std::vector<double> a, s;
};

TEST(ColumnSoftmax, EntriesAgreeWithTheDefinitionToTheLastDigits) {
  const Index m = 23;
  const Slices slices(m);
  const CounterRandom random(5, Stream::weights_a);
  for (Index j = 0; j < m; ++j) {
    long double sum = 0.0L;
    for (Index k = 0; k < m; ++k) sum += std::exp(static_cast<long double>(random.normal(k, j)));
    for (Index i = 0; i < slices.rows.size(); ++i) {
      const auto expected =
          static_cast<double>(std::exp(static_cast<long double>(slices.a[i * m + j])) / sum);
      EXPECT_NEAR(slices.s[i * m + j], expected, 1e-14 * expected);  // 4 ulp of exp, and the sum
    }
  }
}

TEST(ColumnSoftmax, ColumnsSumToOneForHugeEntriesToo) {
  for (const double scale : {1.0, 1e3, 1e300}) {
    const Index m = 17;
    const Slices slices(m, scale);
    std::vector<double> sums(m, 0.0);
    for (Index i = 0; i < slices.rows.size(); ++i)
      for (Index j = 0; j < m; ++j) sums[j] += slices.s[i * m + j];
    MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    for (const double sum : sums) EXPECT_NEAR(sum, 1.0, 1e-14);
  }
}

TEST(ColumnSoftmax, ANotANumberIsNotHidden) {
  const Index m = 9;
  Slices slices(m);
  if (slices.grid.rank() == 0 && !slices.a.empty()) slices.a[3] = std::numeric_limits<double>::quiet_NaN();
  column_softmax(slices.grid.world(), slices.rows.size(), m, slices.a.data(), m, slices.s.data());
  for (Index i = 0; i < slices.rows.size(); ++i) EXPECT_TRUE(std::isnan(slices.s[i * m + 3]));
}

TEST(ColumnSoftmaxPullback, ItIsTheTransposeOfTheDerivative) {
  // <K, dS> = <pullback(K), dA>, with dS from central differences of order h².
  const Index m = 12;
  Slices slices(m);
  const CounterRandom random(6, Stream::test_direction);
  std::vector<double> k, direction, pullback(slices.a.size());
  for (Index i = slices.rows.begin; i < slices.rows.end; ++i) {
    for (Index j = 0; j < m; ++j) {
      k.push_back(random.normal(i, j));
      direction.push_back(random.normal(i, j + m));
    }
  }
  column_softmax_pullback(slices.grid.world(), slices.rows.size(), m, slices.s.data(), k.data(), m,
                          pullback.data(), m);
  const double h = 1e-5;
  double sums[2] = {0.0, 0.0};
  std::vector<double> plus(k.size()), minus(k.size()), shifted(k.size());
  for (std::size_t e = 0; e < k.size(); ++e) shifted[e] = slices.a[e] + h * direction[e];
  column_softmax(slices.grid.world(), slices.rows.size(), m, shifted.data(), m, plus.data());
  for (std::size_t e = 0; e < k.size(); ++e) shifted[e] = slices.a[e] - h * direction[e];
  column_softmax(slices.grid.world(), slices.rows.size(), m, shifted.data(), m, minus.data());
  for (std::size_t e = 0; e < k.size(); ++e) {
    sums[0] += k[e] * (plus[e] - minus[e]) / (2.0 * h);
    sums[1] += pullback[e] * direction[e];
  }
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_NEAR(sums[0], sums[1], 1e-8 * std::abs(sums[1]));
}

}  // namespace
}  // namespace poise
