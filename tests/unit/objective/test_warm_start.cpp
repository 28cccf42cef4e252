// Predictions along a path of parameters, and the work that they save.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "poise/base/error.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "support/given_options.hpp"
#include "support/gradients.hpp"

namespace poise {
namespace {

using namespace testing_support;

/// A path of parameters θ(s) = θ₀ + s D and states that are polynomials of s.
class WarmStartPath : public testing::Test {
 protected:
  static constexpr Index rows = 3, samples = 4;
  static constexpr Index all[samples] = {0, 1, 2, 3};

  [[nodiscard]] VecHandle theta(double s, double off = 0.0) const {
    VecHandle vec = create_vec(MPI_COMM_WORLD, 2 + rank());
    WriteArray values(vec.get());
    for (Index i = 0; i < 2 + rank(); ++i)
      values[i] = 1.0 + s * std::cos(static_cast<double>(i + 2 * rank())) + (i == 1 ? off : 0.0);
    return vec;
  }
  /// Entry e of the state at s: a polynomial of this degree.
  [[nodiscard]] static std::vector<double> state(double s, int degree) {
    std::vector<double> x;
    for (Index e = 0; e < rows * samples; ++e) {
      const double a = 1.0 + static_cast<double>(e);
      x.push_back(a + (degree > 0 ? (2.0 - a) * s : 0.0) + (degree > 1 ? 0.5 * a * s * s : 0.0));
    }
    return x;
  }
  /// A pass at θ: whether there was a prediction, and its states.
  std::pair<bool, std::vector<double>> pass(Vec at, const std::vector<double>& leave) {
    std::vector<double> predicted(leave.size());
    warm.begin(at, false);
    const bool known = warm.predict(0, all, samples, predicted.data());
    warm.record(0, all, samples, leave.data());
    warm.end();
    return {known, predicted};
  }
  std::pair<bool, std::vector<double>> pass(double s, int degree) {
    return pass(theta(s).get(), state(s, degree));
  }
  static void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t e = 0; e < a.size(); ++e) EXPECT_NEAR(a[e], b[e], tolerance) << "entry " << e;
  }
  [[nodiscard]] static Index rank() {
    int value = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &value);
    return value;
  }

  WarmStart warm{rows, samples, 1, 3};
};

TEST_F(WarmStartPath, NothingIsKnownAtFirst) {
  EXPECT_FALSE(pass(0.0, 2).first);
}

TEST_F(WarmStartPath, OnePointPredictsItself) {
  (void)pass(0.0, 2);
  const auto [known, predicted] = pass(0.3, 2);
  EXPECT_TRUE(known);
  EXPECT_EQ(predicted, state(0.0, 2));
}

TEST_F(WarmStartPath, TwoPointsAreExactForLinesAndThreeForParabolasWhateverTheSteps) {
  for (const std::vector<double>& path :
       {std::vector<double>{0.0, 1.0, 2.0, 3.0}, {0.0, 0.4, 1.1, 1.5}, {2.0, 1.5, 1.2, 0.9}}) {
    for (const int degree : {1, 2}) {
      warm.clear();
      for (std::size_t k = 0; k < path.size(); ++k) {
        const auto [known, predicted] = pass(path[k], degree);
        EXPECT_EQ(known, k > 0);
        if (static_cast<int>(k) > degree) expect_near(predicted, state(path[k], degree), 1e-12);
      }
    }
  }
}

TEST_F(WarmStartPath, GoesOnRoundTheRingOfPoints) {
  for (int k = 0; k < 9; ++k) {
    const auto [known, predicted] = pass(0.5 * k, 2);
    if (k > 2) expect_near(predicted, state(0.5 * k, 2), 1e-11);
  }
}

TEST_F(WarmStartPath, RepeatedParametersPredictWhatWasStored) {
  for (const double s : {0.0, 1.0, 2.0}) (void)pass(s, 2);
  EXPECT_EQ(pass(2.0, 2).second, state(2.0, 2));
  EXPECT_EQ(pass(2.0, 2).second, state(2.0, 2));
  // When the run goes on, two points are equal: no weight may be infinite.
  for (const double entry : pass(3.0, 2).second) EXPECT_TRUE(std::isfinite(entry));
}

TEST_F(WarmStartPath, APointAsideOfThePathIsNotUsed) {
  (void)pass(theta(0.0, 5.0).get(), state(0.0, 2));
  (void)pass(1.0, 1);
  EXPECT_EQ(pass(2.0, 1).second, state(1.0, 1)) << "the first one is aside";
  expect_near(pass(3.0, 1).second, state(3.0, 1), 1e-12);
  expect_near(pass(4.0, 1).second, state(4.0, 1), 1e-12);
}

TEST_F(WarmStartPath, ATurnFallsBackToTheNewestPoint) {
  (void)pass(0.0, 1);
  (void)pass(1.0, 1);
  // Back beyond the first point, which then lies ahead of the step's start.
  EXPECT_EQ(pass(0.1, 1).second, state(1.0, 1));
}

TEST_F(WarmStartPath, ALongStepAfterShortOnesDoesNotExtrapolateWildly) {
  (void)pass(0.0, 0);
  (void)pass(0.001, 0);
  (void)pass(0.002, 0);
  auto noisy = state(1.0, 0);
  const auto [known, predicted] = pass(1.0, 0);
  EXPECT_TRUE(known);
  EXPECT_EQ(predicted, state(0.002, 0));
}

TEST_F(WarmStartPath, PredictionsInPanelsSurviveTheRecordsOfEarlierPanels) {
  for (const double s : {0.0, 1.0, 2.0, 3.0}) (void)pass(s, 2);
  warm.begin(theta(4.0).get(), false);
  const auto expected = state(4.0, 2);
  for (Index i = 0; i < samples; ++i) {
    std::vector<double> column(rows);
    ASSERT_TRUE(warm.predict(0, &i, 1, column.data()));
    expect_near(column, {expected.begin() + i * rows, expected.begin() + (i + 1) * rows}, 1e-11);
    warm.record(0, &i, 1, expected.data() + i * rows);
  }
  warm.end();
  expect_near(pass(5.0, 2).second, state(5.0, 2), 1e-11);
}

TEST_F(WarmStartPath, ClearForgets) {
  (void)pass(0.0, 2);
  warm.clear();
  EXPECT_FALSE(pass(1.0, 2).first);
}

TEST_F(WarmStartPath, APassThatDidNotEndForgetsAll) {
  (void)pass(0.0, 2);
  warm.begin(theta(1.0).get(), false);
  warm.record(0, all, samples, state(1.0, 2).data());
  EXPECT_FALSE(pass(2.0, 2).first);
  EXPECT_TRUE(pass(3.0, 2).first);
}

TEST_F(WarmStartPath, MinibatchesReturnTheLastValueOfASampleAndRefuseUnknownOnes) {
  const Index first[2] = {3, 1}, second[2] = {1, 2}, both[3] = {1, 2, 3}, other[2] = {0, 1};
  const auto record = [&](const Index* which, double s) {
    warm.begin(theta(s).get(), true);
    std::vector<double> now;
    for (int c = 0; c < 2; ++c) {
      const auto x = state(s, 2);
      now.insert(now.end(), x.begin() + which[c] * rows, x.begin() + (which[c] + 1) * rows);
    }
    warm.record(0, which, 2, now.data());
    warm.end();
  };
  record(first, 0.0);
  record(second, 1.0);
  warm.begin(theta(2.0).get(), true);
  std::vector<double> out(3 * rows);
  EXPECT_FALSE(warm.predict(0, other, 2, out.data()));
  ASSERT_TRUE(warm.predict(0, both, 3, out.data()));
  for (int c = 0; c < 3; ++c)
    for (Index i = 0; i < rows; ++i)
      EXPECT_EQ(out[static_cast<std::size_t>(c * rows + i)],
                state(both[c] == 3 ? 0.0 : 1.0, 2)[static_cast<std::size_t>(both[c] * rows + i)]);
  warm.end();
  EXPECT_FALSE(pass(3.0, 2).first) << "a pass over all samples begins anew";
  warm.begin(theta(4.0).get(), true);
  EXPECT_FALSE(warm.predict(0, both, 1, out.data())) << "and so does a minibatch after it";
}

TEST_F(WarmStartPath, BlocksAreRememberedApart) {
  WarmStart two(rows, samples, 2, 3);
  two.begin(theta(0.0).get(), true);
  two.record(1, all, samples, state(0.0, 2).data());
  std::vector<double> out(rows * samples);
  EXPECT_FALSE(two.predict(0, all, samples, out.data()));
  EXPECT_TRUE(two.predict(1, all, samples, out.data()));
  EXPECT_EQ(two.bytes(), 8.0 * 3 * 2 * rows * samples);
}

/// An objective with its own map, so that its products are counted separately.
struct Descent {
  Descent(int feature_ranks, bool warm, bool minibatches, Activation activation = Activation::tanh)
      : grid(MPI_COMM_WORLD, feature_ranks),
        shape{.activation = activation, .gamma = 0.9, .input_weights = true, .bias = true, .features = 6},
        layout(grid, 11, 3, Pointwise::blocks(shape, 11)),
        problem(random_problem(layout, squared_loss(), 22, 0, 6)),
        map(layout, shape),
        objective(layout, map, problem,
                  {.panel = 4, .warm_start = warm, .samples = minibatches ? Index{11} : Index{0}}),
        theta(layout.create()) {
    layout.initialise(theta.get(), 1, 1.0, 1.0);
  }
  Gradient evaluate(const Batch& batch) {
    const Index before = map.columns_multiplied() + objective.columns_multiplied();
    const Gradient gradient = gradient_of(objective, theta.get(), batch);
    double multiplied =
        static_cast<double>(map.columns_multiplied() + objective.columns_multiplied() - before);
    MPI_Allreduce(MPI_IN_PLACE, &multiplied, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    work.push_back(multiplied);
    return gradient;
  }
  void step(double length) {
    const VecHandle gradient = duplicate(theta.get());
    (void)objective.value_and_gradient(theta.get(), gradient.get());
    check(VecAXPY(theta.get(), -length, gradient.get()));
  }
  ProcessGrid grid;
  Pointwise::Shape shape;
  ParameterLayout layout;
  Problem problem;
  Pointwise map;
  EquilibriumObjective objective;
  VecHandle theta;
  std::vector<double> work;
};

class WarmDescent : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Types, WarmDescent, testing::Values("meanfield", "picard", "newtonls"),
                         [](const auto& info) { return info.param; });

TEST_P(WarmDescent, GivesTheLossAndGradientOfAColdOneWithLessWork) {
  const std::string adjoint = GetParam() == "picard"     ? "neumann"
                              : GetParam() == "newtonls" ? "gmres"
                                                         : "meanfield";
  const GivenOptions given({{"eq_snes_type", GetParam()}, {"adj_ksp_type", adjoint}});
  for (const int feature_ranks : feature_rank_choices())
    for (const bool minibatches : {false, true}) {
      SCOPED_TRACE(std::string(minibatches ? "minibatches" : "full batch"));
      Descent cold(feature_ranks, false, minibatches);
      Descent warm(feature_ranks, true, minibatches);
      EXPECT_GT(warm.objective.warm_bytes(), 0.0);
      EXPECT_EQ(cold.objective.warm_bytes(), 0.0);
      Descent guide(feature_ranks, false, false);  // its gradients move both
      const int steps = 6;
      for (int k = 0; k < steps; ++k) {
        const Batch batch = minibatches ? every_nth(warm.grid, warm.problem.train, 2, k % 2) : Batch{};
        const Gradient a = cold.evaluate(batch);
        const Gradient b = warm.evaluate(batch);
        EXPECT_NEAR(a.loss, b.loss, 1e-9 * a.loss);
        EXPECT_LE(relative_distance(b.entries, a.entries), 1e-9);
        guide.step(0.02);
        check(VecCopy(guide.theta.get(), cold.theta.get()));
        check(VecCopy(guide.theta.get(), warm.theta.get()));
      }
      // Samples that the ladder solved need one more product, so that they can be stored.
      EXPECT_NEAR(warm.work[0], cold.work[0], 0.02 * cold.work[0]) << "nothing is known at first";
      const double share = minibatches ? 1.0 : 0.95;  // a minibatch was solved two steps before
      for (int k = 3; k < steps; ++k) EXPECT_LT(warm.work[k], share * cold.work[k]) << "step " << k;
      warm.objective.forget();
      (void)warm.evaluate(minibatches ? every_nth(warm.grid, warm.problem.train, 2, 0) : Batch{});
      (void)cold.evaluate(minibatches ? every_nth(cold.grid, cold.problem.train, 2, 0) : Batch{});
      EXPECT_NEAR(warm.work.back(), cold.work.back(), 0.02 * cold.work.back()) << "forgotten";
    }
}

TEST(EquilibriumOutcome, OfAMinibatchNamesTheWorstSampleOfThisRank) {
  Descent setup(1, false, true);
  const Batch batch = every_nth(setup.grid, setup.problem.train, 2, 1);
  std::string message = "nothing was thrown";
  if (setup.grid.sample_ranks() == 1) {
    for (Index i = 0; i < 6; ++i) setup.problem.train.features[static_cast<std::size_t>(15 * 6 + i)] = NAN;
    try {
      (void)setup.evaluate(batch);
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_NE(message.find("worst sample 15 of this rank"), std::string::npos) << message;
  }
}

TEST(InexactBackward, IsNamedAndUsableAndItsResidualIsNotANumber) {
  for (const int feature_ranks : feature_rank_choices()) {
    Descent exact(feature_ranks, false, false);
    EXPECT_EQ(exact.objective.gradient_label(), "exact");
    const Gradient reference = exact.evaluate({});
    double before = 1.0;
    for (const Index terms : {1, 5, 40, 300}) {
      EquilibriumObjective objective(exact.layout, exact.map, exact.problem,
                                     {.panel = 4, .backward = {Backward::Kind::neumann, terms}});
      EXPECT_EQ(objective.gradient_label(),
                "inexact: " + std::to_string(terms) + " terms of the Neumann series");
      const VecHandle gradient = duplicate(exact.theta.get());
      const Evaluation evaluation = objective.value_and_gradient(exact.theta.get(), gradient.get());
      EXPECT_TRUE(evaluation.adjoint.usable());
      EXPECT_TRUE(std::isnan(evaluation.adjoint.residual));
      EXPECT_NEAR(evaluation.train.loss, reference.loss, 1e-12 * reference.loss);
      const double error = relative_distance(all_entries(gradient.get()), reference.entries);
      EXPECT_LT(error, before);
      before = std::max(error, 1e-10);
    }
    EXPECT_LE(before, 1e-9);
  }
}

}  // namespace
}  // namespace poise
