// The penalty on the Jacobian, -jacobian_weight.
#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "support/gradients.hpp"

namespace poise {
namespace {

using namespace testing_support;

struct Penalised {
  Penalised(int feature_ranks, const Pointwise::Shape& of, double weight, std::uint64_t seed = 3,
            Index n = 10, Index m = 7, MPI_Comm world = MPI_COMM_WORLD)
      : grid(world, feature_ranks),
        shape(of),
        layout(grid, m, 3, Pointwise::blocks(shape, m)),
        problem(random_problem(layout, squared_loss(), n, 0, shape.input_weights ? shape.features : m)),
        map(layout, shape),
        objective(layout, map, problem, {.panel = 4, .rtol = 1e-13, .jacobian_weight = weight, .seed = seed}),
        theta(layout.create()) {
    randomise(layout, theta.get(), 1, 0.3);
  }
  /// Loss and penalty, and the gradient of their sum.
  Evaluation evaluate(Vec at, Vec gradient) { return objective.value_and_gradient(at, gradient); }

  ProcessGrid grid;
  Pointwise::Shape shape;
  ParameterLayout layout;
  Problem problem;
  Pointwise map;
  EquilibriumObjective objective;
  VecHandle theta;
};

/// Order of the Taylor remainder of loss + penalty.
double order(Penalised& penalised, double step = 2e-4) {
  const VecHandle gradient = duplicate(penalised.theta.get());
  const VecHandle scratch = duplicate(penalised.theta.get());
  const VecHandle direction = duplicate(penalised.theta.get());
  const VecHandle moved = duplicate(penalised.theta.get());
  randomise(penalised.layout, direction.get(), 99, 1.0);
  const Evaluation here = penalised.evaluate(penalised.theta.get(), gradient.get());
  EXPECT_GT(here.penalty, 0.01 * here.train.loss) << "no penalty to speak of";
  double slope = 0.0;
  check(VecDot(gradient.get(), direction.get(), &slope));
  double remainder[2];
  for (int k = 0; k < 2; ++k, step /= 2.0) {
    check(VecWAXPY(moved.get(), step, direction.get(), penalised.theta.get()));
    const Evaluation there = penalised.evaluate(moved.get(), scratch.get());
    remainder[k] = std::abs(there.train.loss + there.penalty - here.train.loss - here.penalty - step * slope);
  }
  return std::log2(remainder[0] / remainder[1]);
}

Pointwise::Shape full(Activation activation, WeightKind kind, double gamma) {
  return {.activation = activation,
          .weights = kind,
          .gamma = gamma,
          .input_weights = true,
          .bias = true,
          .features = 5};
}

struct PenaltyCase {
  std::string name;
  Pointwise::Shape shape;
};

class Penalty : public testing::TestWithParam<PenaltyCase> {};
INSTANTIATE_TEST_SUITE_P(
    Models, Penalty,
    testing::Values(PenaltyCase{"tanh", full(Activation::tanh, WeightKind::softmax, 0.9)},
                    PenaltyCase{"softplus", full(Activation::softplus, WeightKind::softmax, 0.8)},
                    PenaltyCase{"sigmoid", full(Activation::sigmoid, WeightKind::free, 0.9)},
                    PenaltyCase{"spectral", full(Activation::tanh, WeightKind::spectral, 0.8)},
                    PenaltyCase{"linear", full(Activation::identity, WeightKind::spectral, 0.7)},
                    PenaltyCase{"monotone_tanh", full(Activation::tanh, WeightKind::monotone, 0.4)},
                    PenaltyCase{"monotone_softplus", full(Activation::softplus, WeightKind::monotone, 0.4)}),
    [](const auto& info) { return info.param.name; });

TEST_P(Penalty, GradientOfLossAndPenaltyHasTaylorRemainderOfSecondOrder) {
  for (const int feature_ranks : feature_rank_choices()) {
    Penalised penalised(feature_ranks, GetParam().shape, 5.0);
    const double found = order(penalised);
    EXPECT_GE(found, 1.9);
    EXPECT_LE(found, 2.2);
  }
}

TEST_P(Penalty, IsTheSameOnEveryGrid) {
  Penalised alone(1, GetParam().shape, 0.7, 3, 10, 7, MPI_COMM_SELF);
  const VecHandle reference = duplicate(alone.theta.get());
  const double penalty = alone.evaluate(alone.theta.get(), reference.get()).penalty;
  const std::vector<double> entries = all_entries(reference.get());
  for (const int feature_ranks : feature_rank_choices()) {
    Penalised penalised(feature_ranks, GetParam().shape, 0.7);
    const VecHandle gradient = duplicate(penalised.theta.get());
    EXPECT_NEAR(penalised.evaluate(penalised.theta.get(), gradient.get()).penalty, penalty, 1e-11 * penalty);
    EXPECT_LE(relative_distance(all_entries(gradient.get()), entries), 1e-10);
  }
}

TEST_P(Penalty, LeavesTheLossAloneAndIsProportionalToItsWeight) {
  Penalised none(1, GetParam().shape, 0.0), one(1, GetParam().shape, 0.5), two(1, GetParam().shape, 1.0);
  const auto entries = [](Penalised& of, Evaluation& evaluation) {
    const VecHandle gradient = duplicate(of.theta.get());
    evaluation = of.evaluate(of.theta.get(), gradient.get());
    return all_entries(gradient.get());
  };
  Evaluation e0, e1, e2;
  const auto g0 = entries(none, e0), g1 = entries(one, e1), g2 = entries(two, e2);
  EXPECT_EQ(e0.penalty, 0.0);
  EXPECT_EQ(e1.train.loss, e0.train.loss);
  EXPECT_NEAR(e2.penalty, 2.0 * e1.penalty, 1e-13 * e2.penalty);
  double difference = 0.0;
  for (std::size_t k = 0; k < g0.size(); ++k) {
    EXPECT_NEAR(g2[k] - g0[k], 2.0 * (g1[k] - g0[k]), 1e-10);
    difference = std::max(difference, std::abs(g1[k] - g0[k]));
  }
  EXPECT_GT(difference, 1e-4);
}

/// Mean over the samples of ‖∂h/∂z‖²_F/m at the equilibria, by the map's own products with unit vectors.
double mean_squared_jacobian(Penalised& of) {
  const Index n = of.problem.train.count;
  const Index m = of.layout.width();
  const Index rows = of.map.local_states();
  const auto size = static_cast<std::size_t>(rows * std::max<Index>(n, 1));
  std::vector<double> u(size), z(size), slopes(size), unit(size), image(size);
  double sum = 0.0;
  if (n > 0) {
    of.map.inject(n, of.problem.train.features.data(), u.data());
    z = u;
    EquilibriumSolver solver(of.grid.feature(), of.map, n);
    (void)require(solver.solve(n, u.data(), z.data(), slopes.data()));
    for (Index j = 0; j < m; ++j) {
      for (Index c = 0; c < n; ++c)
        for (Index i = 0; i < rows; ++i)
          unit[static_cast<std::size_t>(c * rows + i)] = of.layout.block().begin + i == j ? 1.0 : 0.0;
      of.map.jacobian(n, slopes.data(), unit.data(), image.data());
      for (const double entry : image) sum += entry * entry;
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return sum / static_cast<double>(m * of.problem.train.total);
}

TEST(PenaltyEstimate, ApproachesTheSquareOfTheFrobeniusNormOverSeeds) {
  const Pointwise::Shape shape = full(Activation::tanh, WeightKind::softmax, 0.9);
  for (const int feature_ranks : feature_rank_choices()) {
    Penalised first(feature_ranks, shape, 1.0, 0, 40);
    first.map.set_parameters(first.theta.get());
    const double expected = mean_squared_jacobian(first);
    const int seeds = 40;
    double sum = 0.0, squares = 0.0;
    for (int seed = 0; seed < seeds; ++seed) {
      Penalised of(feature_ranks, shape, 1.0, static_cast<std::uint64_t>(seed), 40);
      const VecHandle gradient = duplicate(of.theta.get());
      const double penalty = of.evaluate(of.theta.get(), gradient.get()).penalty;
      sum += penalty;
      squares += penalty * penalty;
    }
    const double mean = sum / seeds;
    const double deviation = std::sqrt(std::max(0.0, squares / seeds - mean * mean) / seeds);
    EXPECT_GT(deviation, 0.0) << "seeds differ";
    EXPECT_NEAR(mean, expected, 4.0 * deviation);
    EXPECT_NEAR(mean, expected, 0.1 * expected);
  }
}

}  // namespace
}  // namespace poise
