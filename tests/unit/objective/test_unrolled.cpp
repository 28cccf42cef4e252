#include <gtest/gtest.h>

#include "explicit_networks.hpp"
#include "poise/objective/equilibrium_objective.hpp"

namespace poise {
namespace {

using namespace testing_support;

class UnrolledNetworks : public testing::TestWithParam<const Loss*> {};
INSTANTIATE_TEST_SUITE_P(Losses, UnrolledNetworks,
                         testing::Values(squared_loss(), logistic_loss(), cross_entropy_loss()),
                         [](const auto& info) { return info.param->name(); });

TEST_P(UnrolledNetworks, RecomputedGradientEqualsTheStoredOneBitByBit) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Index depth : {1, 2, 7}) {
      ExplicitNetwork setup(Network::unrolled_tanh, MPI_COMM_WORLD, feature_ranks, GetParam());
      setup.unroll({depth, 0});
      const Gradient kept = setup.gradient();
      for (const Index every : {1, 2, 3, 10}) {
        setup.unroll({depth, every});
        const Gradient recomputed = setup.gradient();
        EXPECT_EQ(recomputed.loss, kept.loss);
        EXPECT_EQ(recomputed.entries, kept.entries) << "H = " << depth << ", k = " << every;
      }
    }
  }
}

TEST(UnrolledTest, RecomputationKeepsFewerStatesAndMultipliesMore) {
  ExplicitNetwork setup(Network::unrolled_tanh, MPI_COMM_SELF, 1, squared_loss(), {.n = 4});
  const Index block = setup.layout.width() * 4;
  const auto columns = [&] {
    const Index before = setup.map->columns_multiplied();
    (void)setup.gradient();
    return setup.map->columns_multiplied() - before;
  };
  const UnrolledObjective& kept = setup.unroll({100, 0});
  EXPECT_EQ(columns(), 4 * (100 + 99));
  EXPECT_EQ(kept.numbers_kept(), block * (100 + 1));
  const UnrolledObjective& recomputed = setup.unroll({100, 10});
  EXPECT_EQ(columns(), 4 * (100 + 90 + 99));
  EXPECT_EQ(recomputed.numbers_kept(), block * (10 + 10));
}

/// Distance of loss and gradient of the depth-H network from the implicit model, divided by the distance at
/// H = 20 and by γᴴ⁻²⁰.
struct Rate {
  double loss, gradient;
};

TEST_P(UnrolledNetworks, UnrolledLinearNetworkConvergesToTheImplicitModelAtTheRateGamma) {
  // THEORY.md 7.3. The slowest mode of γσ(A) is the Perron one, eigenvalue γ (7.4), so the bound is also the
  // rate; the next one has decayed by H = 20.
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(Network::unrolled_linear, MPI_COMM_WORLD, feature_ranks, GetParam());
    Pointwise map(setup.layout, setup.shape);
    EquilibriumObjective implicit(setup.layout, map, setup.problem, 4, 1e-13);
    const Gradient limit = gradient_of(implicit, setup.theta.get());
    const auto distance = [&](Index depth) {
      setup.unroll({depth, 5});
      Gradient now = setup.gradient();
      for (std::size_t e = 0; e < limit.entries.size(); ++e) now.entries[e] -= limit.entries[e];
      return Rate{std::abs(now.loss - limit.loss), largest(now.entries)};
    };
    const Rate start = distance(20);
    for (const Index depth : {30, 40, 50, 60}) {
      const Rate now = distance(depth);
      const double bound = std::pow(contraction, static_cast<double>(depth - 20));
      EXPECT_NEAR(now.loss / start.loss / bound, 1.0, 0.05) << "H = " << depth;
      EXPECT_NEAR(now.gradient / start.gradient / bound, 1.0, 0.05) << "H = " << depth;
    }
  }
}

TEST_P(UnrolledNetworks, DeepTanhNetworkHasTheGradientOfTheImplicitModel) {
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(Network::unrolled_tanh, MPI_COMM_WORLD, feature_ranks, GetParam());
    Pointwise map(setup.layout, setup.shape);
    EquilibriumObjective implicit(setup.layout, map, setup.problem, 4, 1e-13);
    const Gradient limit = gradient_of(implicit, setup.theta.get());
    setup.unroll({150, 12});  // γ¹⁵⁰ = 3e-15
    const Gradient now = setup.gradient();
    EXPECT_NEAR(now.loss, limit.loss, 1e-11 * limit.loss);
    EXPECT_LE(relative_distance(now.entries, limit.entries), 1e-10);
    setup.unroll({5, 0});
    EXPECT_GT(relative_distance(setup.gradient().entries, limit.entries), 1e-3) << "a shallow one differs";
  }
}

TEST(UnrolledTest, DepthOneReadsOutTheActivatedInjection) {
  // z⁽¹⁾ = a(W 0 + u): the recurrent weights have no gradient
  ExplicitNetwork setup(Network::unrolled_tanh, MPI_COMM_WORLD, 1, squared_loss());
  setup.unroll({1, 0});
  const Gradient gradient = setup.gradient();
  const Index m = setup.layout.width();
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < m; ++j)
      EXPECT_EQ(gradient.entries[static_cast<std::size_t>(i * setup.layout.row_length() + j)], 0.0);
  EXPECT_GT(largest(gradient.entries), 0.0);
}

TEST(UnrolledTest, GradientIsRightWithAndWithoutInputWeightsAndBias) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const bool input_weights : {false, true}) {
      for (const bool bias : {false, true}) {
        const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
        const Pointwise::Shape shape{.input_weights = input_weights, .bias = bias, .features = 5};
        const ParameterLayout layout(grid, 7, 3, Pointwise::blocks(shape, 7));
        const Problem problem = random_problem(layout, squared_loss(), 20, 0, input_weights ? 5 : 7);
        Pointwise map(layout, shape);
        UnrolledObjective objective(layout, map, problem, 4, {4, 3});
        const VecHandle theta = layout.create();
        randomise(layout, theta.get(), 1, 0.5);
        EXPECT_GE(taylor_order(objective, layout, theta.get()), 1.9) << input_weights << bias;
      }
    }
  }
}

TEST(UnrolledTest, BadSettingsAreRefused) {
  ExplicitNetwork setup(Network::unrolled_tanh, MPI_COMM_WORLD, 1, squared_loss());
  const auto message = [&](const Unrolled& settings) -> std::string {
    try {
      setup.unroll(settings);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message({0, 0}).rfind("option -depth 0: ", 0), 0u);
  EXPECT_EQ(message({-3, 0}).rfind("option -depth -3: ", 0), 0u);
  EXPECT_EQ(message({4, -1}).rfind("option -recompute_every -1: ", 0), 0u);
  EXPECT_EQ(message({4, 2}), "accepted");
}

}  // namespace
}  // namespace poise
