#include <gtest/gtest.h>

#include "explicit_networks.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

using namespace testing_support;

TEST(ShallowTest, SquaredLossHasTheGradientWrittenOutDensely) {
  // THEORY.md 3: G = 2 s (BΦ − Y)Φᵀ
  constexpr Index m = 7, q = 3, n = 20;
  const ProcessGrid self(MPI_COMM_SELF);
  const ParameterLayout serial(self, m, q, std::vector<ParameterBlock>{});
  const SampleSet samples = random_problem(serial, squared_loss(), n).train;
  for (const int feature_ranks : feature_rank_choices()) {
    for (const bool mean : {true, false}) {
      ExplicitNetwork setup(Network::shallow, MPI_COMM_WORLD, feature_ranks, squared_loss());
      setup.problem.mean = mean;
      const std::vector<double> readout = all_entries(setup.theta.get());  // Bᵀ, row by row
      std::vector<double> expected(readout.size());
      for (Index s = 0; s < n; ++s) {
        const double* x = samples.features.data() + s * m;
        for (Index c = 0; c < q; ++c) {
          double residual = -samples.targets[s * q + c];
          for (Index i = 0; i < m; ++i) residual += readout[i * q + c] * x[i];
          for (Index i = 0; i < m; ++i) expected[i * q + c] += 2.0 * (mean ? 1.0 / n : 1.0) * residual * x[i];
        }
      }
      EXPECT_LE(relative_distance(setup.gradient().entries, expected), 1e-13);
    }
  }
}

TEST(ShallowTest, LayoutWithOtherBlocksIsRefused) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 4, 3);
  const Problem problem = random_problem(layout, squared_loss(), 5);
  EXPECT_THROW(ShallowObjective(layout, problem, 4), Error);
}

}  // namespace
}  // namespace poise
