#include <gtest/gtest.h>

#include "poise/dynamics/descent.hpp"
#include "quadratic.hpp"

namespace poise {
namespace {

using namespace testing_support;
using Method = DescentSettings::Method;

constexpr double forever = 1e9;

DescentSettings backtracking(double step_size, Method method = Method::gradient) {
  DescentSettings settings;
  settings.step_size = step_size;
  settings.method = method;
  settings.backtrack = true;
  return settings;
}

std::string message_of(Objective& objective, const DescentSettings& settings) {
  const VecHandle theta = ones(7);
  DynamicsState state;
  std::vector<Point> points;
  try {
    Descent(objective, theta.get(), settings, forever, 100).run(theta.get(), state, record(points));
  } catch (const Error& error) {
    EXPECT_TRUE(error.collective());
    return error.what();
  }
  return "";
}

TEST(BacktrackingTest, TurnsAStepSizeThatIsTooLargeIntoOneThatConverges) {
  for (const bool gives_nan : {false, true}) {
    Quadratic objective;
    objective.radius = 3.0;  // starts at √7; with step size 1 entries grow by a factor of up to 3.5 per step
    objective.gives_nan = gives_nan;
    const VecHandle theta = ones(7);
    Descent descent(objective, theta.get(), backtracking(1.0), forever, 200);
    DynamicsState state;
    std::vector<Point> points;
    double t = 0.0;
    const auto observer = record(points);
    EXPECT_EQ(descent.run(theta.get(), state,
                          [&](const DynamicsState& now, Vec at, Vec gradient, const Evaluation& evaluation) {
                            EXPECT_NEAR(now.t - t, now.step > 0 ? now.step_size : 0.0, 1e-12);
                            t = now.t;
                            double norm = 0.0;
                            check(VecNorm(gradient, NORM_2, &norm));
                            EXPECT_TRUE(std::isfinite(norm));
                            return observer(now, at, gradient, evaluation);
                          }),
              StopReason::reached_steps);
    EXPECT_EQ(state.reductions, 2);
    EXPECT_EQ(state.step_scale, 0.25);
    EXPECT_EQ(state.step_size, 0.25);
    EXPECT_EQ(state.step, 200);
    EXPECT_EQ(state.gradients, objective.evaluations);
    for (std::size_t k = 0; k < points.size(); ++k) EXPECT_EQ(points[k].step, static_cast<Index>(k));
    for (const double entry : all_entries(theta.get())) EXPECT_NEAR(entry, 0.0, 1e-10);
  }
}

TEST(BacktrackingTest, WithoutItTheFailureReachesTheCaller) {
  Quadratic objective;
  objective.radius = 3.0;
  DescentSettings settings = backtracking(1.0);
  settings.backtrack = false;
  EXPECT_EQ(message_of(objective, settings), "seeded failure");
  objective.gives_nan = true;
  EXPECT_NE(message_of(objective, settings).find("the gradient holds NaN or Inf"), std::string::npos);
}

TEST(BacktrackingTest, AFailureOfTheFirstEvaluationHasNothingToGoBackTo) {
  Quadratic objective;
  objective.radius = 1.0;
  EXPECT_EQ(message_of(objective, backtracking(1.0)), "seeded failure");
  EXPECT_EQ(objective.evaluations, 1);
}

TEST(BacktrackingTest, GivesUpAfterTwentyHalvingsOfAStep) {
  Quadratic objective;
  objective.fail_at = 2;
  EXPECT_EQ(message_of(objective, backtracking(1.0)), "seeded failure");
  EXPECT_EQ(objective.evaluations, 1 + 21);
}

TEST(BacktrackingTest, AFailureOfOneRankAloneIsNotCaught) {
  class OneRank final : public Objective {
   public:
    Evaluation value_and_gradient(Vec, Vec gradient) override {
      check(VecSet(gradient, 1.0));
      if (evaluations++ > 0) throw Error(ExitCode::failed, "one rank", false);
      return {};
    }
    Score score(Vec, const SampleSet&) override { return {}; }
    Index evaluations = 0;
  } objective;
  const VecHandle theta = ones(7);
  DynamicsState state;
  std::vector<Point> points;
  Descent descent(objective, theta.get(), backtracking(1.0), forever, 100);
  EXPECT_THROW(descent.run(theta.get(), state, record(points)), Error);
  EXPECT_EQ(objective.evaluations, 2);
}

TEST(BacktrackingTest, GoesBackToTheMomentsToo) {
  // After one failure in the first step, the run equals a run that starts with half the step size.
  for (const Method method : {Method::gradient, Method::momentum, Method::nesterov, Method::adam}) {
    Quadratic fails_once, never_fails;
    fails_once.fail_at = 2;
    fails_once.fail_after = false;
    const VecHandle theta = ones(7);
    const VecHandle expected = ones(7);
    DynamicsState state, state_expected;
    std::vector<Point> points;
    Descent(fails_once, theta.get(), backtracking(0.2, method), forever, 6)
        .run(theta.get(), state, record(points));
    Descent(never_fails, expected.get(), backtracking(0.1, method), forever, 6)
        .run(expected.get(), state_expected, record(points));
    EXPECT_EQ(all_entries(theta.get()), all_entries(expected.get()));
    EXPECT_EQ(state.reductions, 1);
    EXPECT_NEAR(state.t, state_expected.t, 1e-15);
  }
}

TEST(BacktrackingTest, AResumedRunRepeatsTheStraightOneBitByBit) {
  for (const Method method : {Method::gradient, Method::momentum, Method::nesterov, Method::adam})
    for (const Index stop_at : {1, 4}) {
      Quadratic objective;
      objective.radius = 3.1;  // starts at 3
      expect_resumed_equals_straight(
          objective,
          [&](Objective& of, Vec theta) {
            return std::make_unique<Descent>(of, theta, backtracking(2.1, method), forever, 12);
          },
          stop_at);
      EXPECT_GT(objective.evaluations, 2 * 13 + 1);  // some failed
    }
}

}  // namespace
}  // namespace poise
