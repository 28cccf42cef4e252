#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "poise/model/pointwise.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "support/gradients.hpp"

namespace poise {
namespace {

using namespace testing_support;

constexpr double gamma_ = 0.8;

/// Both objectives for one problem on one grid.
struct BothObjectives {
  BothObjectives(int feature_ranks, const Loss* loss, Index m, Index n, Index n_test = 0, Index panel = 4)
      : grid(MPI_COMM_WORLD, feature_ranks),
        layout(grid, m, loss == logistic_loss() ? 1 : 3),
        problem(random_problem(layout, loss, n, n_test)),
        map(layout, gamma_),
        model(layout, gamma_),
        shallow(layout, problem),
        equilibrium(layout, map, problem, panel),
        collapsed(model, shallow),
        theta(layout.create()) {
    layout.initialise(theta.get(), 1, 1.0, 1.0);
  }
  Objective& objective(bool use_collapsed) {
    return use_collapsed ? static_cast<Objective&>(collapsed) : static_cast<Objective&>(equilibrium);
  }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  SoftmaxLinear map;
  CollapsedModel model;
  ShallowLoss shallow;
  EquilibriumObjective equilibrium;
  CollapsedObjective collapsed;
  VecHandle theta;
};

class Objectives : public testing::TestWithParam<const Loss*> {};
INSTANTIATE_TEST_SUITE_P(Losses, Objectives,
                         testing::Values(squared_loss(), logistic_loss(), cross_entropy_loss()),
                         [](const auto& info) { return info.param->name(); });

TEST_P(Objectives, GradientOfCollapsedAndEquilibriumObjectivesAgreeOnEveryGrid) {
  // Also sizes with more ranks than rows, and with more ranks than samples.
  for (const auto& [m, n] : {std::pair<Index, Index>{9, 23}, {2, 30}, {9, 2}, {1, 1}}) {
    std::vector<double> reference;
    double reference_loss = 0.0;
    for (const int feature_ranks : feature_rank_choices()) {
      for (const bool use_collapsed : {true, false}) {
        BothObjectives setup(feature_ranks, GetParam(), m, n);
        const VecHandle gradient = duplicate(setup.theta.get());
        const Evaluation evaluation =
            setup.objective(use_collapsed).value_and_gradient(setup.theta.get(), gradient.get());
        const std::vector<double> now = all_entries(gradient.get());
        if (reference.empty()) {
          reference = now;
          reference_loss = evaluation.train.loss;
        }
        ASSERT_EQ(now.size(), reference.size());
        double scale = 0.0;
        for (const double entry : reference) scale = std::max(scale, std::abs(entry));
        // The worst of the two solves' tolerances, 1e-12, times the condition (1+γ)/(1-γ) of U.
        for (std::size_t e = 0; e < now.size(); ++e) ASSERT_NEAR(now[e], reference[e], 1e-10 * scale);
        EXPECT_NEAR(evaluation.train.loss, reference_loss, 1e-10 * std::abs(reference_loss));
      }
    }
  }
}

TEST_P(Objectives, GradientHasTaylorRemainderOfSecondOrder) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const bool use_collapsed : {true, false}) {
      BothObjectives setup(feature_ranks, GetParam(), 7, 20);
      EXPECT_GE(taylor_order(setup.objective(use_collapsed), setup.layout, setup.theta.get()), 1.9);
    }
  }
}

TEST_P(Objectives, ColumnSumsOfTheGradientOfAAreZero) {
  // THEORY.md 7.2: exact up to rounding, not only up to the solver's tolerance
  BothObjectives setup(1, GetParam(), 13, 40);
  for (const bool use_collapsed : {true, false}) {
    const VecHandle gradient = duplicate(setup.theta.get());
    (void)setup.objective(use_collapsed).value_and_gradient(setup.theta.get(), gradient.get());
    const std::vector<double> g = all_entries(gradient.get());
    const Index stride = setup.layout.row_length();
    for (Index j = 0; j < 13; ++j) {
      double sum = 0.0;
      double size = 0.0;
      for (Index i = 0; i < 13; ++i) {
        sum += g[i * stride + j];
        size += std::abs(g[i * stride + j]);
      }
      EXPECT_LE(std::abs(sum), 1e-13 * (size + 1e-3)) << "column " << j;
    }
  }
}

TEST_P(Objectives, TestScoresOfBothObjectivesAgree) {
  for (const int feature_ranks : feature_rank_choices()) {
    BothObjectives setup(feature_ranks, GetParam(), 7, 20, 11);
    const Score a = setup.collapsed.score(setup.theta.get(), setup.problem.test);
    const Score b = setup.equilibrium.score(setup.theta.get(), setup.problem.test);
    EXPECT_NEAR(a.loss, b.loss, 1e-10 * a.loss);
    EXPECT_EQ(a.accuracy, b.accuracy);
    EXPECT_GT(a.loss, 0.0);
  }
}

TEST_P(Objectives, PanelWidthDoesNotChangeTheGradient) {
  std::vector<double> reference;
  for (const Index panel : {1, 3, 7, 64}) {
    BothObjectives setup(1, GetParam(), 7, 23, 0, panel);
    const VecHandle gradient = duplicate(setup.theta.get());
    (void)setup.equilibrium.value_and_gradient(setup.theta.get(), gradient.get());
    const std::vector<double> now = all_entries(gradient.get());
    if (reference.empty()) reference = now;
    for (std::size_t e = 0; e < now.size(); ++e) EXPECT_NEAR(now[e], reference[e], 1e-10);
  }
}

TEST_P(Objectives, MinibatchEqualsTheProblemOfItsSamplesAlone) {
  // 9 samples are solved in panels of 3; the 4 samples of the minibatch must fit into these panels.
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Index n : {9, 23}) {
      BothObjectives setup(feature_ranks, GetParam(), 7, n);
      const Batch batch = every_nth(setup.grid, setup.problem.train, 2, 1);
      const Gradient part = gradient_of(setup.equilibrium, setup.theta.get(), batch);
      setup.problem.train = alone(setup.problem.train, batch);
      EquilibriumObjective other(setup.layout, setup.map, setup.problem, 4);
      const Gradient own = gradient_of(other, setup.theta.get());
      EXPECT_LE(relative_distance(part.entries, own.entries), 1e-10);
      EXPECT_NEAR(part.loss, own.loss, 1e-10 * own.loss);
    }
  }
}

TEST(ShallowLossTest, GramFormEqualsThePassOverTheSamples) {
  for (const int feature_ranks : feature_rank_choices()) {
    BothObjectives setup(feature_ranks, squared_loss(), 7, 20);
    setup.model.set_parameters(setup.theta.get());
    std::vector<double> g(static_cast<std::size_t>(setup.layout.slice().size() * setup.layout.outputs()));
    const double gram = setup.shallow.value_and_gradient(setup.model.w(), g.data()).loss;
    const double pass = setup.shallow.score(setup.model.w(), setup.problem.train).loss;
    EXPECT_NEAR(gram, pass, 1e-12 * pass);
  }
}

TEST_P(Objectives, HessianProductOfTheShallowLossIsTheDerivativeOfItsGradient) {
  for (const int feature_ranks : feature_rank_choices()) {
    BothObjectives setup(feature_ranks, GetParam(), 7, 20);
    setup.model.set_parameters(setup.theta.get());
    const Index q = setup.layout.outputs();
    const std::size_t size = static_cast<std::size_t>(setup.layout.slice().size() * q);
    std::vector<double> v(size), product(size), forward(size), backward(size), w(size);
    for (std::size_t e = 0; e < size; ++e)
      v[e] = std::cos(static_cast<double>(setup.layout.slice().begin) + 2.0 * static_cast<double>(e));
    constexpr double step = 1e-5;
    for (std::size_t e = 0; e < size; ++e) w[e] = setup.model.w()[e] + step * v[e];
    (void)setup.shallow.value_and_gradient(w.data(), forward.data());
    for (std::size_t e = 0; e < size; ++e) w[e] = setup.model.w()[e] - step * v[e];
    (void)setup.shallow.value_and_gradient(w.data(), backward.data());
    setup.shallow.linearise(setup.model.w());
    setup.shallow.hessian_product(v.data(), product.data());
    for (std::size_t e = 0; e < size; ++e)  // gradients of order 1: step², and ε over the step
      EXPECT_NEAR(product[e], (forward[e] - backward[e]) / (2.0 * step), 1e-8);
    setup.shallow.hessian_product(v.data(), v.data());
    EXPECT_EQ(v, product);
  }
}

TEST(ShallowLossTest, SumScaleIsNTimesTheMean) {
  BothObjectives setup(1, cross_entropy_loss(), 7, 20);
  setup.model.set_parameters(setup.theta.get());
  const double mean = setup.shallow.score(setup.model.w(), setup.problem.train).loss;
  setup.problem.mean = false;
  EXPECT_NEAR(setup.shallow.score(setup.model.w(), setup.problem.train).loss, 20.0 * mean, 1e-12 * mean);
}

TEST(CollapsedModelTest, SolvesOfUAndItsTransposeAreInverseToTheProducts) {
  for (const double gamma : {0.5, 0.99}) {
    const ProcessGrid grid(MPI_COMM_WORLD);
    const ParameterLayout layout(grid, 19, 2);
    CollapsedModel model(layout, gamma);
    const VecHandle theta = layout.create();
    layout.initialise(theta.get(), 8, 2.0, 1.0);
    model.set_parameters(theta.get());
    const Index rows = layout.slice().size();
    std::vector<double> rhs, x(static_cast<std::size_t>(2 * rows)), product(x.size());
    const CounterRandom random(3, Stream::test_direction);
    for (Index c = 0; c < 2; ++c)
      for (Index i = layout.slice().begin; i < layout.slice().end; ++i) rhs.push_back(random.normal(i, c));
    (void)model.solve(rhs.data(), x.data());
    model.softmax().multiply(2, x.data(), product.data());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i] - gamma * product[i], rhs[i], 1e-11);
    (void)model.solve_transpose(rhs.data(), x.data());
    model.softmax().multiply_transpose(2, x.data(), product.data());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i] - gamma * product[i], rhs[i], 1e-11);
  }
}

TEST(EquilibriumPanels, AreTheSameOnEveryRankThatSharesSamples) {
  // 601 rows are 301 and 300 on two ranks, to which panels of 435 and 436 columns would be right.
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    if (grid.sample_ranks() > 1) continue;
    const Pointwise::Shape shape{.activation = Activation::tanh, .gamma = 0.5};
    const ParameterLayout layout(grid, 601, 3, Pointwise::blocks(shape, 601));
    const Problem problem = random_problem(layout, squared_loss(), 436);
    Pointwise map(layout, shape);
    EquilibriumObjective objective(layout, map, problem, EquilibriumSettings{.rtol = 1e-2});
    const VecHandle theta = layout.create();
    const VecHandle gradient = layout.create();
    layout.initialise(theta.get(), 1, 1.0, 1.0);
    EXPECT_GT(objective.value_and_gradient(theta.get(), gradient.get()).train.loss, 0.0);
  }
}

}  // namespace
}  // namespace poise
