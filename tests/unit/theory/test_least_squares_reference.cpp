#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "support/problems.hpp"
#include "unit/theory/dense_dynamics.hpp"
#include "unit/theory/dense_samples.hpp"

namespace poise {
namespace {

using testing::Dense;

constexpr double epsilon = std::numeric_limits<double>::epsilon();

Dense product(const Dense& a, bool transpose_a, const Dense& b, bool transpose_b) {
  const Index rows = transpose_a ? a.cols : a.rows;
  const Index cols = transpose_b ? b.rows : b.cols;
  const Index inner = transpose_a ? a.rows : a.cols;
  Dense c(rows, cols);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j)
      for (Index l = 0; l < inner; ++l)
        c(i, j) += (transpose_a ? a(l, i) : a(i, l)) * (transpose_b ? b(j, l) : b(l, j));
  return c;
}

double norm2(const Dense& a) {
  double sum = 0.0;
  for (const double value : a.values) sum += value * value;
  return sum;
}

Dense difference(const Dense& a, const Dense& b) {
  Dense c = a;
  for (std::size_t i = 0; i < c.values.size(); ++i) c.values[i] -= b.values[i];
  return c;
}

struct Case {
  Index m, n, rank;
  double smallest;  ///< σ_r; the singular values run geometrically from 3 down to it
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << "m " << c.m << " n " << c.n << " rank " << c.rank << " smallest " << c.smallest;
}

/// Features Φ = L diag(σ) Rᵀ, so that Φ⁺ = R diag(1/σ) Lᵀ is known.
class Reference : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr Index q = 3;
  static constexpr double scale = 0.25;

  Reference()
      : p(GetParam()),
        grid(MPI_COMM_WORLD),
        left(testing::orthonormal(p.m, p.rank, 21)),
        right(testing::orthonormal(p.n, p.rank, 22)),
        targets(testing::random_block(q, p.n, 1.0, 23)),
        layout(grid, p.m, q),
        gram(grid.world(), grid.world_offsets(p.m)) {
    Dense scaled = left;
    Dense inverse_scaled = left;
    for (Index r = 0; r < p.rank; ++r)
      for (Index i = 0; i < p.m; ++i) {
        scaled(i, r) *= sigma(r);
        inverse_scaled(i, r) /= sigma(r);
      }
    features = product(scaled, false, right, true);
    optimum = product(inverse_scaled, false, product(targets, false, right, false), true);
  }
  [[nodiscard]] double sigma(Index r) const {
    return p.rank == 1
               ? p.smallest
               : 3.0 * std::pow(p.smallest / 3.0, static_cast<double>(r) / static_cast<double>(p.rank - 1));
  }
  /// s‖WΦ − Y‖² of the transposed block.
  [[nodiscard]] double loss(const Dense& w) const {
    return scale * norm2(difference(product(w, true, features, false), targets));
  }
  [[nodiscard]] LeastSquaresReference reference() const {
    return {triangular_factor(layout, testing::samples_of(layout, features, targets)), q, scale};
  }
  /// Relative rounding of Φ, times its condition number; not times its square, as there is no ΦΦᵀ.
  [[nodiscard]] double rounding() const {
    return 16.0 * static_cast<double>(p.m + p.n) * epsilon * 3.0 / p.smallest;
  }

  Case p;
  ProcessGrid grid;
  Dense left, right, targets;
  ParameterLayout layout;
  Dense features{0, 0}, optimum{0, 0};
  RowBlockMatrix gram;  // only for how its rows are spread
};

TEST_P(Reference, RankAndRateConstantAreThoseOfTheKnownSingularValues) {
  const LeastSquaresReference found = reference();
  EXPECT_EQ(found.rank(), p.rank);
  EXPECT_NEAR(found.kappa(), 4.0 * scale * p.smallest * p.smallest, rounding() * found.kappa());
}

TEST_P(Reference, OptimumIsTargetsTimesThePseudoInverse) {
  const LeastSquaresReference found = reference();
  const Dense w = testing::whole_block(gram, q, found.optimum().data());
  EXPECT_LE(norm2(difference(w, optimum)), std::pow(rounding(), 2) * norm2(optimum));
}

TEST_P(Reference, OptimalLossIsThatOfTheOptimum) {
  const LeastSquaresReference found = reference();
  EXPECT_NEAR(
      found.optimal_loss(), loss(optimum),
      found.optimal_loss_rounding() + std::pow(rounding(), 2) * norm2(targets) + 1e-13 * loss(optimum));
  EXPECT_GE(found.optimal_loss(), 0.0);
}

TEST_P(Reference, ExcessAndGradientEqualTheDirectSums) {
  const LeastSquaresReference found = reference();
  for (const double distance : {1.0, 1e-3}) {
    Dense step = testing::random_block(p.m, q, distance, 24);
    const Dense w = difference(optimum, step);
    const auto at = found.distance(testing::local_block(gram, w).data());
    const double excess = scale * norm2(product(step, true, features, false));
    // The optimum has the relative error rounding(), so an excess near it is less exact.
    const double tolerance = rounding() * (1.0 + std::sqrt(norm2(optimum) / norm2(step)));
    EXPECT_NEAR(at.excess, excess, tolerance * excess);
    const Dense gradient = product(product(step, true, features, false), false, features, true);
    EXPECT_NEAR(at.grad_norm2, 4.0 * scale * scale * norm2(gradient), tolerance * at.grad_norm2);
    EXPECT_GE(at.grad_norm2, found.kappa() * at.excess * (1.0 - 1e-14));
    EXPECT_NEAR(at.excess, loss(w) - loss(optimum), 1e-13 * (loss(w) + loss(optimum)) + tolerance * excess);
  }
}

TEST_P(Reference, UnseenPartIsOrthogonalToTheFeaturesAndTheRestIsInTheirSpan) {
  const LeastSquaresReference found = reference();
  const Dense w = testing::random_block(p.m, q, 1.0, 25);
  auto block = testing::local_block(gram, w);
  found.keep_unseen_part(block.data());
  const Dense unseen = testing::whole_block(gram, q, block.data());
  const Dense seen = difference(w, unseen);
  const Dense projected = product(left, false, product(left, true, seen, false), false);
  EXPECT_LE(norm2(product(unseen, true, features, false)), std::pow(rounding(), 2) * norm2(w));
  EXPECT_LE(norm2(difference(seen, projected)), std::pow(rounding(), 2) * norm2(w));
}

TEST_P(Reference, ExcessIsNeverNegativeAndVanishesAtTheOptimumItself) {
  const LeastSquaresReference found = reference();
  EXPECT_EQ(found.distance(found.optimum().data()).excess, 0.0);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Dense w = difference(optimum, testing::random_block(p.m, q, 1e-15, 30 + seed));
    EXPECT_GE(found.distance(testing::local_block(gram, w).data()).excess, 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Features, Reference,
                         ::testing::Values(Case{1, 5, 1, 2.0}, Case{2, 7, 2, 0.5}, Case{6, 20, 6, 1.0},
                                           Case{6, 4, 4, 0.5}, Case{17, 40, 9, 0.1}, Case{17, 40, 17, 1e-3},
                                           Case{9, 30, 9, 1e-9}));

class SmallTriangle : public ::testing::Test {
 protected:
  SmallTriangle() : grid(MPI_COMM_WORLD), r(grid.world(), grid.world_offsets(3)) {}
  /// R₁ = diag(values), T = (1, 1, 1).
  [[nodiscard]] LeastSquaresReference reference(std::vector<double> values, double cut = 0.0) {
    Dense triangle(3, 3);
    Dense t(3, 1);
    for (Index i = 0; i < 3; ++i) {
      triangle(i, i) = values[static_cast<std::size_t>(i)];
      t(i, 0) = 1.0;
    }
    RowBlockMatrix filled(grid.world(), grid.world_offsets(3));
    testing::fill_rows(filled, triangle);
    return {TriangularFactor{std::move(filled), testing::local_block(r, t), 0.5, 3.5}, 1, 1.0, cut};
  }
  ProcessGrid grid;
  RowBlockMatrix r;  // only for how its rows are spread
};

TEST_F(SmallTriangle, PartOfTheTargetsOutsideTheRangeIsLeftOut) {
  const LeastSquaresReference found = reference({1.0, 2.0, 0.0});
  const Dense w = testing::whole_block(r, 1, found.optimum().data());
  EXPECT_EQ(found.rank(), 2);
  EXPECT_NEAR(w(0, 0), 1.0, 4.0 * epsilon);
  EXPECT_NEAR(w(1, 0), 0.5, 4.0 * epsilon);
  EXPECT_NEAR(w(2, 0), 0.0, 4.0 * epsilon);
  EXPECT_NEAR(found.optimal_loss(), 0.5 + 1.0, 8.0 * epsilon);
}

TEST_F(SmallTriangle, RoundingDoesNotCountAsRankUnlessAskedFor) {
  EXPECT_EQ(reference({1.0, 2.0, 1e-15}).rank(), 2);
  EXPECT_EQ(reference({1.0, 2.0, 1e-12}).rank(), 3);
  EXPECT_EQ(reference({1.0, 2.0, 1e-12}, 1e-10).rank(), 2);
}

TEST_F(SmallTriangle, ZeroFeaturesAndNotANumberAreErrors) {
  EXPECT_THROW((void)reference({0.0, 0.0, 0.0}), Error);
  EXPECT_THROW((void)reference({1.0, std::numeric_limits<double>::quiet_NaN(), 1.0}), Error);
}

// A loss computed as a difference of sums of squared targets would have no correct digit.
TEST(LeastSquaresReference, TargetsWithALargeMeanKeepTheOptimalLossOnEveryGrid) {
  const Index m = 4, n = 40, q = 2;
  Dense features = testing::random_block(m, n, 1.0, 31);
  for (Index i = 0; i < n; ++i) features(m - 1, i) = 1.0;
  const Dense targets = testing::random_block(q, n, 1.0, 32);
  std::vector<double> losses;
  for (const double offset : {0.0, 1e6, 1e8}) {
    Dense moved = targets;
    for (double& y : moved.values) y += offset;
    for (const int feature_ranks : testing_support::feature_rank_choices()) {
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, q);
      const LeastSquaresReference found(
          triangular_factor(layout, testing::samples_of(layout, features, moved)), q, 1.0 / n);
      losses.push_back(found.optimal_loss());
      EXPECT_NEAR(losses.back(), losses.front(), 1e-13 + 64.0 * epsilon * offset)
          << offset << " " << feature_ranks;
      EXPECT_LE(std::abs(losses.back() - losses.front()), found.optimal_loss_rounding() + 1e-13);
    }
  }
}

// In ΦΦᵀ the square of such a singular value would be lost in rounding.
TEST(LeastSquaresReference, AWeaklyScaledFeatureKeepsItsRankItsLossAndItsConstant) {
  const Index m = 4, n = 40, q = 1;
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, m, q);
  const Dense targets = testing::random_block(q, n, 1.0, 34);
  double full = 0.0;
  for (const double size : {1.0, 1e-5, 1e-9, 1e-12}) {
    Dense features = testing::random_block(m, n, 1.0, 33);
    for (Index i = 0; i < n; ++i) features(2, i) *= size;
    const LeastSquaresReference found(
        triangular_factor(layout, testing::samples_of(layout, features, targets)), q, 1.0 / n);
    if (size == 1.0) full = found.optimal_loss();
    EXPECT_EQ(found.rank(), m) << size;
    EXPECT_NEAR(found.optimal_loss(), full, 1e-13) << size;
    EXPECT_GE(found.svd().smallest(), 0.5 * size * std::sqrt(static_cast<double>(n - m))) << size;
    EXPECT_LE(found.svd().smallest(), 1.5 * size * std::sqrt(static_cast<double>(n))) << size;
  }
}

TEST(LeastSquaresReference, SlicesOfAnyLengthsGiveTheSameOptimum) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const Index m = 10;
  std::vector<Index> offsets(static_cast<std::size_t>(grid.size()) + 1, m - 1);
  offsets.front() = 0;
  offsets.back() = m;
  if (grid.size() == 1) offsets = {0, m};
  RowBlockMatrix r(grid.world(), offsets);
  Dense triangle = testing::random_block(m, m, 1.0, 25);
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < i; ++j) triangle(i, j) = 0.0;
  for (Index i = 0; i < m; ++i) triangle(i, i) += 3.0;
  const Dense wanted = testing::random_block(m, 1, 1.0, 26);
  testing::fill_rows(r, triangle);
  const Dense t = product(triangle, false, wanted, false);
  const std::vector<double> own = testing::local_block(r, t);
  const LeastSquaresReference found(TriangularFactor{std::move(r), own, 0.0, norm2(t)}, 1, 1.0);
  const Dense w = testing::whole_block(found.svd().right(), 1, found.optimum().data());
  const double condition = found.svd().largest() / found.svd().smallest();
  EXPECT_LE(norm2(difference(w, wanted)), std::pow(16.0 * m * epsilon * condition, 2) * norm2(wanted));
}

}  // namespace
}  // namespace poise
