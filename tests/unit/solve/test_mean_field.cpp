// The mean-field linearisation against dense algebra.
#include <gtest/gtest.h>
#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/solve/mean_field.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using Dense = std::vector<double>;

/// Random weights over grid.feature(), the same on every grid; every rank knows all of them.
struct RandomWeights {
  RandomWeights(int feature_ranks, Index width, double scale, std::uint64_t seed = 1)
      : grid(MPI_COMM_WORLD, feature_ranks),
        m(width),
        matrix(grid.feature(), grid.feature_offsets(width)),
        begin(matrix.row_begin()),
        rows(matrix.local_rows()) {
    const CounterRandom random(seed, Stream::test_direction);
    const double size = scale / std::sqrt(static_cast<double>(m));
    for (Index i = 0; i < m; ++i)
      for (Index j = 0; j < m; ++j) dense.push_back(size * random.normal(i, j));
    std::copy_n(dense.data() + begin * m, rows * m, matrix.rows());
    for (Index i = 0; i < m; ++i) slopes.push_back(random.uniform(i, 1000));
  }
  [[nodiscard]] Dense block(Index p, std::uint64_t seed) const {
    const CounterRandom random(seed, Stream::test_direction);
    Dense x;
    for (Index c = 0; c < p; ++c)
      for (Index i = begin; i < begin + rows; ++i) x.push_back(random.normal(i, c));
    return x;
  }
  [[nodiscard]] double dot(const Dense& a, const Dense& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, grid.feature());
    return sum;
  }
  [[nodiscard]] const double* own_slopes() const { return slopes.data() + begin; }

  ProcessGrid grid;
  Index m;
  RowBlockMatrix matrix;
  Index begin, rows;
  Dense dense, slopes;
};

template <class Body>
void on_every_grid(Body body) {
  for (const int feature_ranks : feature_rank_choices())
    for (const Index m : {1, 2, 3, 17}) {  // also fewer rows than ranks
      SCOPED_TRACE("feature ranks " + std::to_string(feature_ranks) + ", m " + std::to_string(m));
      RandomWeights weights(feature_ranks, m, 0.8);
      body(weights);
    }
}

TEST(MeanFieldTest, MatrixTimesIMinusDWIsW) {
  on_every_grid([](const RandomWeights& w) {
    MeanField mean(w.matrix);
    EXPECT_FALSE(mean.valid());
    mean.update(w.own_slopes());
    EXPECT_TRUE(mean.valid());
    for (Index i = 0; i < w.rows; ++i)
      for (Index j = 0; j < w.m; ++j) {
        const double* row = mean.matrix().rows() + i * w.m;
        double entry = row[j];
        for (Index k = 0; k < w.m; ++k) entry -= row[k] * w.slopes[k] * w.dense[k * w.m + j];
        EXPECT_NEAR(entry, w.dense[(w.begin + i) * w.m + j], 1e-12) << i << ", " << j;
      }
  });
}

TEST(MeanFieldTest, SolveAndItsTransposeInvertIMinusDW) {
  on_every_grid([](const RandomWeights& w) {
    const Index p = 3;
    MeanField mean(w.matrix);
    mean.update(w.own_slopes());
    const Dense v = w.block(p, 5);
    Dense x(v.size()), product(v.size()), scaled(v.size());
    mean.solve(p, v.data(), x.data());
    w.matrix.multiply(p, x.data(), product.data());
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < w.rows; ++i) {
        const Index e = c * w.rows + i;
        EXPECT_NEAR(x[e] - w.own_slopes()[i] * product[e], v[e], 1e-12);
      }
    mean.solve_transpose(p, v.data(), x.data());
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < w.rows; ++i) scaled[c * w.rows + i] = w.own_slopes()[i] * x[c * w.rows + i];
    w.matrix.multiply_transpose(p, scaled.data(), product.data());
    for (std::size_t e = 0; e < v.size(); ++e) EXPECT_NEAR(x[e] - product[e], v[e], 1e-12);
  });
}

TEST(MeanFieldTest, SolveTransposeIsTheAdjointOfSolve) {
  on_every_grid([](const RandomWeights& w) {
    const Index p = 2;
    MeanField mean(w.matrix);
    mean.update(w.own_slopes());
    const Dense v = w.block(p, 5);
    const Dense r = w.block(p, 6);
    Dense x(v.size()), y(v.size());
    mean.solve(p, v.data(), x.data());
    mean.solve_transpose(p, r.data(), y.data());
    EXPECT_NEAR(w.dot(r, x), w.dot(y, v), 1e-11);
  });
}

TEST(MeanFieldTest, AnotherUpdateForgetsTheFirst) {
  on_every_grid([](RandomWeights& w) {
    MeanField twice(w.matrix);
    twice.update(w.own_slopes());
    for (Index e = 0; e < w.rows * w.m; ++e) w.matrix.rows()[e] *= -0.5;
    twice.invalidate();
    EXPECT_FALSE(twice.valid());
    twice.update(w.own_slopes());
    MeanField once(w.matrix);
    once.update(w.own_slopes());
    for (Index e = 0; e < w.rows * w.m; ++e) EXPECT_EQ(twice.matrix().rows()[e], once.matrix().rows()[e]);
    EXPECT_EQ(twice.weight_norm(), once.weight_norm());
  });
}

TEST(MeanFieldTest, ASingularMatrixIsAnErrorOnEveryRank) {
  for (const int feature_ranks : feature_rank_choices()) {
    RandomWeights w(feature_ranks, 5, 0.0);
    for (Index i = 0; i < w.rows; ++i) w.matrix.rows()[i * w.m + w.begin + i] = 1.0;
    const Dense ones(static_cast<std::size_t>(w.rows), 1.0);
    MeanField mean(w.matrix);
    try {
      mean.update(ones.data());
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::failed);
      EXPECT_NE(std::string(error.what()).find("singular"), std::string::npos) << error.what();
    }
    EXPECT_FALSE(mean.valid());
  }
}

TEST(MeanFieldTest, PlainIterationTakesThePlaceOfASingularMatrix) {
  for (const int feature_ranks : feature_rank_choices()) {
    RandomWeights w(feature_ranks, 5, 0.0);
    for (Index i = 0; i < w.rows; ++i) w.matrix.rows()[i * w.m + w.begin + i] = 1.0;
    const Dense ones(static_cast<std::size_t>(w.rows), 1.0);
    MeanField mean(w.matrix);
    mean.update_or_plain(ones.data());
    EXPECT_TRUE(mean.valid());
    for (Index i = 0; i < w.rows; ++i) EXPECT_EQ(mean.slopes()[i], 0.0);
    for (Index e = 0; e < w.rows * w.m; ++e) EXPECT_EQ(mean.matrix().rows()[e], w.matrix.rows()[e]);
  }
}

double largest_singular_value(Dense a, Index m) {
  const auto n = static_cast<PetscBLASInt>(m);
  const PetscBLASInt one = 1;
  const PetscBLASInt length = 10 * n;
  PetscBLASInt info = 0;
  Dense values(static_cast<std::size_t>(m)), work(static_cast<std::size_t>(length));
  LAPACKgesvd_("N", "N", &n, &n, a.data(), &n, values.data(), nullptr, &one, nullptr, &one, work.data(),
               &length, &info);
  EXPECT_EQ(info, 0);
  return values[0];
}

TEST(MeanFieldTest, EstimatedNormIsBetweenHalfTheNormAndTheNorm) {
  for (const int feature_ranks : feature_rank_choices())
    for (const Index m : {1, 2, 5, 40})
      for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
        const RandomWeights w(feature_ranks, m, 3.0, seed);
        const double norm = largest_singular_value(w.dense, m);
        const double estimate = estimated_norm(w.matrix);
        EXPECT_LE(estimate, norm * (1.0 + 1e-12));
        EXPECT_GE(estimate, 0.5 * norm) << "m " << m << ", seed " << seed;
      }
}

TEST(MeanFieldTest, EstimatedNormOfNoWeightsIsZero) {
  const RandomWeights w(1, 4, 0.0);
  EXPECT_EQ(estimated_norm(w.matrix), 0.0);
}

}  // namespace
}  // namespace poise
