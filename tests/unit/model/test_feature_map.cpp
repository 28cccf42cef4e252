#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/model/feature_map.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

constexpr Index samples = 60;
constexpr Index inputs = 7;

/// Correlated inputs: column 5 is constant, column 6 is a copy of column 0, so the rank is 5.
double input(Index i, Index j) {
  const CounterRandom random(4, Stream::synthetic_inputs);
  if (j == 5) return 3.0;
  if (j == 6) return input(i, 0);
  return random.normal(i, j) + 2.0 * random.normal(i, 0) + static_cast<double>(j);
}

std::vector<double> own_inputs(const ProcessGrid& grid, double scale = 1.0) {
  std::vector<double> x;
  const Range range = grid.samples(samples);
  for (Index i = range.begin; i < range.end; ++i)
    for (Index j = 0; j < inputs; ++j) x.push_back(scale * input(i, j));
  return x;
}

/// ΦΦᵀ of all samples on every rank, m x m.
std::vector<double> gram(const ProcessGrid& grid, const Features& map) {
  const std::vector<double> x = own_inputs(grid);
  const Index count = grid.samples(samples).size();
  std::vector<double> phi(static_cast<std::size_t>(map.rows().size() * count));
  map.apply(count, x.data(), phi.data());
  std::vector<double> all(static_cast<std::size_t>(map.width() * samples), 0.0);
  const Range range = grid.samples(samples);
  for (Index i = 0; i < count; ++i)
    for (Index k = 0; k < map.rows().size(); ++k)
      all[(range.begin + i) * map.width() + map.rows().begin + k] = phi[i * map.rows().size() + k];
  MPI_Allreduce(MPI_IN_PLACE, all.data(), static_cast<int>(all.size()), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  std::vector<double> result(static_cast<std::size_t>(map.width() * map.width()));
  gemm('N', 'T', map.width(), map.width(), samples, 1.0, all.data(), map.width(), all.data(), map.width(),
       0.0, result.data(), map.width());
  return result;
}

class FeatureMaps : public testing::TestWithParam<FeatureSettings> {};

TEST_P(FeatureMaps, AreTheSameOnEveryGrid) {
  std::vector<double> reference;
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const std::vector<double> x = own_inputs(grid);
    const Features map = GetParam().fit(grid, inputs, grid.samples(samples).size(), x.data());
    const std::vector<double> now = gram(grid, map);
    if (reference.empty()) reference = now;
    ASSERT_EQ(now.size(), reference.size());
    for (std::size_t e = 0; e < now.size(); ++e) EXPECT_NEAR(now[e], reference[e], 1e-9 * samples);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FeatureMaps,
                         testing::Values(FeatureSettings{.map = identity_features()},
                                         FeatureSettings{.map = unit_row_features()},
                                         FeatureSettings{.map = whiten_features()},
                                         FeatureSettings{.map = random_relu_features(), .width = 9},
                                         FeatureSettings{.map = random_fourier_features(), .width = 9}),
                         [](const auto& info) { return info.param.map->name(); });

TEST(UnitRows, HaveTheSumOneAndZerosStay) {
  const std::vector<double> x{1.0,   -3.0,  0.0,    4.0,   0.0,    0.0, 0.0, 0.0,
                              1e308, 1e308, -1e308, 1e308, 4e-320, 0.0, 0.0, 0.0};
  const std::vector<double> expected{0.125, -0.375, 0.0,   0.5,  0.0, 0.0, 0.0, 0.0,
                                     0.25,  0.25,   -0.25, 0.25, 1.0, 0.0, 0.0, 0.0};
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Features map(grid, unit_row_features(), {.width = 5, .mean = std::vector<double>(4, 0.0)});
    const Index height = map.rows().size();
    std::vector<double> phi(static_cast<std::size_t>(4 * height));
    map.apply(4, x.data(), phi.data());
    for (Index i = 0; i < 4; ++i)
      for (Index k = 0; k < height; ++k) {
        const Index feature = map.rows().begin + k;
        EXPECT_DOUBLE_EQ(phi[i * height + k], feature == 4 ? 1.0 : expected[i * 4 + feature]);
      }
  }
}

TEST(Whitening, GramMatrixIsNTimesTheIdentityOnTheDirectionsThatVary) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = own_inputs(grid);
  const Features map =
      FeatureSettings{.map = whiten_features()}.fit(grid, inputs, grid.samples(samples).size(), x.data());
  EXPECT_EQ(map.width(), 5 + 1);  // rank 5 and the constant
  const std::vector<double> c = gram(grid, map);
  for (Index i = 0; i < map.width(); ++i)
    for (Index j = 0; j < map.width(); ++j)
      EXPECT_NEAR(c[i * map.width() + j], i == j ? samples : 0.0, 1e-10 * samples);
}

TEST(Whitening, ZcaKeepsTheInputsWidthAndIsAProjectorTimesN) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = own_inputs(grid);
  const FeatureSettings settings{.map = whiten_features({.zca = true}), .constant = false};
  const Features map = settings.fit(grid, inputs, grid.samples(samples).size(), x.data());
  ASSERT_EQ(map.width(), inputs);
  const std::vector<double> c = gram(grid, map);
  double trace = 0.0;
  for (Index i = 0; i < inputs; ++i) {
    trace += c[i * inputs + i] / samples;
    for (Index j = 0; j < inputs; ++j) {
      double square = 0.0;
      for (Index k = 0; k < inputs; ++k) square += c[i * inputs + k] * c[k * inputs + j] / samples / samples;
      EXPECT_NEAR(square, c[i * inputs + j] / samples, 1e-10);
    }
  }
  EXPECT_NEAR(trace, 5.0, 1e-10);
}

TEST(Whitening, InputsThatDoNotVaryAreRefused) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = own_inputs(grid, 0.0);
  const FeatureSettings settings{.map = whiten_features()};
  EXPECT_THROW((void)settings.fit(grid, inputs, grid.samples(samples).size(), x.data()), Error);
}

TEST(RandomFourier, InnerProductsApproachTheGaussianKernel) {
  // Features of x and y have E[φ(x)ᵀφ(y)] = exp(−‖x−y‖²_std / (2 d bandwidth²)); the error falls like 1/√M.
  const ProcessGrid grid(MPI_COMM_WORLD);
  const std::vector<double> x = own_inputs(grid);
  const FeatureSettings settings{.map = random_fourier_features(), .width = 4000, .constant = false};
  const Features map = settings.fit(grid, inputs, grid.samples(samples).size(), x.data());
  std::vector<double> pair;
  for (const Index i : {0, 1})
    for (Index j = 0; j < inputs; ++j) pair.push_back(input(i, j));
  std::vector<double> phi(2 * static_cast<std::size_t>(map.rows().size()));
  map.apply(2, pair.data(), phi.data());
  double inner = 0.0;
  for (Index k = 0; k < map.rows().size(); ++k) inner += phi[k] * phi[map.rows().size() + k];
  MPI_Allreduce(MPI_IN_PLACE, &inner, 1, MPI_DOUBLE, MPI_SUM, grid.feature());
  double distance2 = 0.0;
  for (Index j = 0; j < inputs; ++j) {
    double mean = 0.0;
    double square = 0.0;
    for (Index i = 0; i < samples; ++i) mean += input(i, j) / samples;
    for (Index i = 0; i < samples; ++i) square += (input(i, j) - mean) * (input(i, j) - mean) / samples;
    if (square > 0.0) distance2 += (input(0, j) - input(1, j)) * (input(0, j) - input(1, j)) / square;
  }
  EXPECT_NEAR(inner, std::exp(-distance2 / (2.0 * inputs)), 4.0 / std::sqrt(4000.0));
}

}  // namespace
}  // namespace poise
