#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/feature_matrix.hpp"
#include "poise/theory/sampled_slopes.hpp"
#include "support/problems.hpp"
#include "unit/theory/known_spectra.hpp"

namespace poise {
namespace {

using testing::Dense;

class DynamicsSpectrum : public ::testing::TestWithParam<double> {};

TEST_P(DynamicsSpectrum, BothEndsAreThoseOfTheDenseMatrix) {
  const double gamma = GetParam();
  const Index m = 12;
  const Index q = 3;
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, m, q);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 7, 1.0, 3.0);
  CollapsedModel model(layout, gamma);
  (void)model.set_parameters(theta.get());
  DynamicsMatrix dynamics(model.softmax(), gamma, q);
  dynamics.update(model.w());

  const Dense w = testing::whole_block(model.softmax(), q, model.w());
  const Dense s = testing::whole_softmax(model.softmax());
  const std::vector<double> known = testing::spectrum(testing::explicit_dynamics(s, w, gamma));

  const SpectralValue top = largest_dynamics_eigenvalue(dynamics, model);
  // The rounding of the dense D has the condition number of U twice.
  const double tolerance = 1e-12 * known.back() / ((1.0 - gamma) * (1.0 - gamma));
  EXPECT_NEAR(top.value, known.back(), top.residual + tolerance);
  EXPECT_LE(top.residual, 1e-8 * known.back());
  SmallestEigensolver bottom(dynamics, 0);
  EXPECT_NEAR(bottom.solve().lambda_min, known.front(), 1e-8);
}

INSTANTIATE_TEST_SUITE_P(Gammas, DynamicsSpectrum, ::testing::Values(0.5, 0.9, 0.99));

TEST(SampledSlopes, AreTheSlopesWherePlainIterationEnds) {
  const Index m = 7;
  const Index n = 11;
  const Index count = 5;
  const Index d = 4;
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Pointwise::Shape shape{.activation = Activation::tanh,
                                 .weights = WeightKind::softmax,
                                 .gamma = 0.7,
                                 .input_weights = true,
                                 .bias = true,
                                 .features = d};
    const ParameterLayout layout(grid, m, 2, Pointwise::blocks(shape, m));
    const VecHandle theta = layout.create();
    layout.initialise(theta.get(), 3, 1.0, 1.0);
    Pointwise map(layout, shape);
    map.set_parameters(theta.get());
    const SampleSet set = testing_support::random_samples(layout, squared_loss(), n, 11, d);
    const SampledSlopes found = sample_slopes(layout, map, set, count);
    ASSERT_EQ(found.samples, (std::vector<Index>{0, 2, 4, 6, 8}));

    // All samples of this rank by 200 plain iterations, γ^200 = 1e-31.
    const Index rows = map.local_states();
    std::vector<double> u(static_cast<std::size_t>(rows * set.count)), z(u.size()), h(u.size()), a(u.size());
    map.inject(set.count, set.features.data(), u.data());
    for (int k = 0; k < 200; ++k) {
      map.apply(set.count, z.data(), u.data(), h.data());
      z.swap(h);
    }
    map.linearise(set.count, z.data(), z.data(), a.data());
    const Range own = grid.samples(n);
    double worst = 0.0;
    for (std::size_t k = 0; k < found.samples.size(); ++k) {
      ASSERT_EQ(static_cast<Index>(found.slopes[k].size()), layout.slice().size());
      if (!own.contains(found.samples[k])) continue;
      const Index column = found.samples[k] - own.begin;
      for (Index i = 0; i < layout.slice().size(); ++i)
        worst = std::max(worst, std::abs(found.slopes[k][i] -
                                         a[column * rows + i + layout.slice().begin - layout.block().begin]));
    }
    EXPECT_LE(worst, 1e-11);
    for (Index i = 0; i < layout.slice().size(); ++i) {
      double mean = 0.0;
      for (const auto& slopes : found.slopes) mean += slopes[i] / static_cast<double>(count);
      EXPECT_NEAR(found.mean[i], mean, 1e-15);
    }
  }
}

TEST(SampledSlopes, OfALinearModelAreOne) {
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Pointwise::Shape shape{
        .activation = Activation::identity, .weights = WeightKind::softmax, .gamma = 0.7};
    const ParameterLayout layout(grid, 5, 2, Pointwise::blocks(shape, 5));
    const VecHandle theta = layout.create();
    layout.initialise(theta.get(), 3, 1.0, 1.0);
    Pointwise map(layout, shape);
    map.set_parameters(theta.get());
    const SampleSet set = testing_support::random_samples(layout, squared_loss(), 9, 11);
    for (const auto& slopes : sample_slopes(layout, map, set, 3).slopes)
      for (const double slope : slopes) EXPECT_EQ(slope, 1.0);
  }
}

class FeatureSpectra : public ::testing::TestWithParam<int> {};

TEST_P(FeatureSpectra, OfFeaturesWithKnownSingularValuesAreFound) {
  const Index d = GetParam();
  const Index n = 23;
  const Index rank = std::max<Index>(1, d - 1);
  std::vector<double> values(static_cast<std::size_t>(d), 0.0);
  for (Index k = 0; k < rank; ++k) values[static_cast<std::size_t>(k)] = 5.0 / static_cast<double>(k + 1);
  const Dense phi =
      testing::product(testing::product(testing::orthonormal(d, d, 1), testing::diagonal(values)),
                       testing::transposed(testing::orthonormal(n, d, 2)));
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Range rows = testing_support::local_rows(grid, d);
    const Range columns = grid.samples(n);
    SampleSet set{n, columns.size(), {}, {}};
    for (Index j = columns.begin; j < columns.end; ++j)
      for (Index i = rows.begin; i < rows.end; ++i) set.features.push_back(phi(i, j));
    const FeatureSpectrum found = feature_spectrum(grid, d, set);
    EXPECT_NEAR(found.largest, 5.0, 1e-12);
    EXPECT_EQ(found.rank, rank);
    // Rounding of the Gram matrix, 25 · 1e-15, over 2σ.
    EXPECT_NEAR(found.smallest, 5.0 / static_cast<double>(rank), 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, FeatureSpectra, ::testing::Values(1, 2, 6));

}  // namespace
}  // namespace poise
