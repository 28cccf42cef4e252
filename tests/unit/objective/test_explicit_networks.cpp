// Tests for every explicit network; test_unrolled.cpp, test_feedforward.cpp and test_shallow.cpp have the
// tests for one network.
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "explicit_networks.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

using namespace testing_support;

class ExplicitNetworks : public testing::TestWithParam<std::tuple<Network, const Loss*>> {
 protected:
  [[nodiscard]] static Network network() { return std::get<0>(GetParam()); }
  [[nodiscard]] static const Loss* loss() { return std::get<1>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(NetworksAndLosses, ExplicitNetworks,
                         testing::Combine(testing::Values(Network::unrolled_linear, Network::unrolled_tanh,
                                                          Network::recomputed_tanh, Network::feedforward_tanh,
                                                          Network::feedforward_relu,
                                                          Network::feedforward_unbiased, Network::shallow),
                                          testing::Values(squared_loss(), logistic_loss(),
                                                          cross_entropy_loss())),
                         [](const auto& info) {
                           return testing_support::to_string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param)->name();
                         });

TEST_P(ExplicitNetworks, GradientHasTaylorRemainderOfSecondOrder) {
  // relu: steps so short that no sample crosses a kink
  const double step = network() == Network::feedforward_relu ? 1e-4 : 4e-3;
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(network(), MPI_COMM_WORLD, feature_ranks, loss());
    EXPECT_GE(taylor_order(*setup.objective, setup.layout, setup.theta.get(), step), 1.9);
  }
}

TEST_P(ExplicitNetworks, GradientIsTheSameOnEveryGrid) {
  // Also sizes with more ranks than rows, features or samples.
  for (const Sizes& sizes : {Sizes{.m = 9, .d = 5, .n = 23}, Sizes{.m = 2, .d = 6, .n = 9},
                             Sizes{.m = 6, .d = 1, .n = 2}, Sizes{.m = 1, .d = 1, .n = 1}}) {
    const Gradient alone = ExplicitNetwork(network(), MPI_COMM_SELF, 1, loss(), sizes).gradient();
    for (const int feature_ranks : feature_rank_choices()) {
      const Gradient now =
          ExplicitNetwork(network(), MPI_COMM_WORLD, feature_ranks, loss(), sizes).gradient();
      EXPECT_LE(relative_distance(now.entries, alone.entries), 1e-12);
      EXPECT_NEAR(now.loss, alone.loss, 1e-12 * alone.loss);
    }
  }
}

TEST_P(ExplicitNetworks, PanelWidthDoesNotChangeTheGradient) {
  const Gradient whole =
      ExplicitNetwork(network(), MPI_COMM_WORLD, 1, loss(), {.n = 23, .panel = 64}).gradient();
  for (const Index panel : {1, 3, 7}) {
    ExplicitNetwork setup(network(), MPI_COMM_WORLD, 1, loss(), {.n = 23, .panel = panel});
    EXPECT_LE(relative_distance(setup.gradient().entries, whole.entries), 1e-12);
  }
}

TEST_P(ExplicitNetworks, MinibatchEqualsTheProblemOfItsSamplesAlone) {
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(network(), MPI_COMM_WORLD, feature_ranks, loss(), {.n = 23});
    const Gradient all = setup.gradient();
    for (const Index every : {1, 3, 23}) {
      const Batch batch = every_nth(setup.grid, setup.problem.train, every, every / 2);
      const Gradient part = setup.gradient(batch);
      ExplicitNetwork other(network(), MPI_COMM_WORLD, feature_ranks, loss(), {.n = 23});
      other.problem.train = alone(setup.problem.train, batch);
      other.make_objective(network(), {});
      const Gradient own = other.gradient();
      EXPECT_LE(relative_distance(part.entries, own.entries), 1e-13);  // the panels may differ
      EXPECT_NEAR(part.loss, own.loss, 1e-13 * own.loss);
      if (every == 1) continue;
      EXPECT_GT(relative_distance(part.entries, all.entries), 1e-3) << "another loss";
    }
    EXPECT_EQ(setup.gradient().entries, all.entries) << "after minibatches";
  }
}

TEST_P(ExplicitNetworks, TestScoreIsTheLossOfTheSamplesAsTrainingSet) {
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(network(), MPI_COMM_WORLD, feature_ranks, loss(), {.n = 11, .n_test = 13});
    const Score test = setup.objective->score(setup.theta.get(), setup.problem.test);
    std::swap(setup.problem.train, setup.problem.test);
    setup.make_objective(network(), {});
    const Gradient train = setup.gradient();
    EXPECT_NEAR(test.loss, train.loss, 1e-14 * train.loss);
    EXPECT_GT(test.loss, 0.0);
  }
}

TEST_P(ExplicitNetworks, ParametersOrStatesThatAreNotFiniteAreErrors) {
  for (const int feature_ranks : feature_rank_choices()) {
    ExplicitNetwork setup(network(), MPI_COMM_WORLD, feature_ranks, loss());
    const VecHandle gradient = duplicate(setup.theta.get());
    check(VecSet(setup.theta.get(), std::numeric_limits<double>::quiet_NaN()));
    EXPECT_THROW((void)setup.objective->value_and_gradient(setup.theta.get(), gradient.get()), Error);
    randomise(setup.layout, setup.theta.get(), 1, 1e308);
    EXPECT_THROW((void)setup.objective->value_and_gradient(setup.theta.get(), gradient.get()), Error);
    randomise(setup.layout, setup.theta.get(), 1, 0.5);
    EXPECT_NO_THROW((void)setup.objective->value_and_gradient(setup.theta.get(), gradient.get()))
        << "afterwards";
  }
}

}  // namespace
}  // namespace poise
