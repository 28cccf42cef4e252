#include <gtest/gtest.h>

#include <cmath>

#include "poise/dynamics/flow.hpp"
#include "quadratic.hpp"
#include "support/given_options.hpp"

namespace poise {
namespace {

using namespace testing_support;

TEST(FlowTest, ReachesTheEndTimeExactlyAndFollowsTheExactFlow) {
  Quadratic objective;
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 2.0, 100000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_time);
  EXPECT_EQ(state.t, 2.0);
  EXPECT_EQ(points.front().t, 0.0);
  EXPECT_EQ(points.back().t, 2.0);
  const auto entries = all_entries(theta.get());
  for (Index i = 0; i < 11; ++i) {
    // the stated error bounds the true error, and is near the tolerance of 1e-8 per step
    EXPECT_NEAR(entries[i], std::exp(-2.0 * Quadratic::rate(i)), state.local_error_sum);
  }
  EXPECT_GT(state.local_error_sum, 0.0);
  EXPECT_LT(state.local_error_sum, 1e-8 * 10.0 * static_cast<double>(points.size()));
}

TEST(FlowTest, AnyUnitOfTimeWorks) {
  for (const double unit : {1e-6, 1e30, 1e100}) {
    Quadratic objective;
    objective.unit = unit;
    const VecHandle theta = ones(11);
    Flow flow(objective, theta.get(), 2.0 / unit, 100000);
    DynamicsState state;
    std::vector<Point> points;
    EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_time) << unit;
    const auto entries = all_entries(theta.get());
    for (Index i = 0; i < 11; ++i)
      EXPECT_NEAR(entries[i], std::exp(-2.0 * Quadratic::rate(i)), state.local_error_sum) << unit;
    EXPECT_LT(state.local_error_sum, 1e-8 * 10.0 * static_cast<double>(points.size())) << unit;
  }
}

TEST(FlowTest, SmallBlocksOfTheParametersAreAsAccurateAsLargeOnes) {
  constexpr Index m = 5, q = 2;
  constexpr double small = 1e-12, end = 2.0;
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, m, q);
  const auto worst_of_readout = [&](bool scaled) {
    Quadratic objective;
    const VecHandle theta = layout.create();
    {
      WriteArray x(theta.get());
      for (Index row = 0, e = 0; row < layout.slice().size(); ++row)
        for (Index c = 0; c < layout.row_length(); ++c, ++e) x[e] = c < layout.readout_offset() ? 0.0 : small;
    }
    Flow flow(objective, theta.get(), end, 100000);
    if (scaled) flow.scale_tolerances(layout);
    DynamicsState state;
    std::vector<Point> points;
    EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_time);
    const auto entries = all_entries(theta.get());
    double worst = 0.0;
    for (Index e = 0; e < m * layout.row_length(); ++e)
      if (e % layout.row_length() >= layout.readout_offset())
        worst = std::max(worst, std::abs(entries[e] / small - std::exp(-end * Quadratic::rate(e))));
    return worst;
  };
  EXPECT_GT(worst_of_readout(false), 1e-3);
  EXPECT_LT(worst_of_readout(true), 1e-6);
  const GivenOptions option(OptionList{{"flow_ts_atol", "1e-8"}});
  EXPECT_EQ(worst_of_readout(true), worst_of_readout(false));  // a tolerance given by the user stays
}

TEST(FlowTest, AdaptiveStepSizesHaveEightBinaryDigits) {
  // Rounded steps, so that the times of a history do not depend on the grid by the rounding of gradients.
  Quadratic objective;
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 1e3, 30);
  DynamicsState state;
  std::vector<double> step_sizes;
  flow.run(theta.get(), state, [&](const DynamicsState& now, Vec, Vec, const Evaluation&) {
    if (now.step > 0) step_sizes.push_back(now.next_step_size);
    return true;
  });
  ASSERT_EQ(step_sizes.size(), 30U);
  for (const double h : step_sizes) {
    int exponent = 0;
    const double digits = std::ldexp(std::frexp(h, &exponent), 8);
    EXPECT_EQ(digits, std::floor(digits)) << h;
  }
  EXPECT_NE(step_sizes.front(), step_sizes.back());
}

TEST(FlowTest, EvaluatesNoGradientTwice) {
  // Six stages per step; the first stage is the gradient that the observer saw.
  Quadratic objective;
  const VecHandle theta = ones(5);
  const GivenOptions options({{"flow_ts_adapt_type", "none"}, {"flow_ts_dt", "0.01"}});
  Flow flow(objective, theta.get(), 1.0, 10);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(objective.evaluations, 1 + 10 * 6);
  EXPECT_EQ(state.gradients, objective.evaluations);
}

TEST(FlowTest, ARunInPartsEndsAtEachTimeAndEvaluatesNoGradientTwice) {
  Quadratic objective;
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 0.0, 100000);
  DynamicsState state;
  std::vector<Point> points;
  for (const double end : {0.0, 0.25, 0.5, 2.0}) {
    flow.set_end_time(end);
    EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_time);
    EXPECT_EQ(state.t, end);
    const auto entries = all_entries(theta.get());
    for (Index i = 0; i < 11; ++i)
      EXPECT_NEAR(entries[i], std::exp(-end * Quadratic::rate(i)), state.local_error_sum);
  }
  // The first gradient, then the stages of all steps, also rejected ones: six each, the first one known.
  EXPECT_EQ(points.size(), 1 + static_cast<std::size_t>(state.step));
  EXPECT_EQ((state.gradients - 1 - 6 * state.step) % 5, 0);
}

TEST(FlowTest, AFailureInTheObjectiveReachesTheCallerAsItsOwnException) {
  Quadratic objective;
  objective.fail_at = 9;
  const VecHandle theta = ones(5);
  Flow flow(objective, theta.get(), 1.0, 100);
  DynamicsState state;
  std::vector<Point> points;
  try {
    flow.run(theta.get(), state, record(points));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "seeded failure");
  }
}

/// Follows the flow from a constant to t = 2, with this first step, and compares all points with the exact
/// flow.
void expect_the_exact_flow(Quadratic& objective, const std::string& first_step, double constant_start) {
  const GivenOptions options(OptionList{{"flow_ts_dt", first_step}});
  const VecHandle theta = constant(11, constant_start);
  Flow flow(objective, theta.get(), 1e305, 100000);
  DynamicsState state;
  flow.run(theta.get(), state, [&](const DynamicsState& now, Vec at, Vec, const Evaluation&) {
    const auto entries = all_entries(at);
    for (Index i = 0; i < 11; ++i)
      EXPECT_NEAR(entries[i], constant_start * std::exp(-now.t * Quadratic::rate(i)), now.local_error_sum);
    EXPECT_LT(now.local_error_sum, 1e-7 * constant_start * static_cast<double>(now.step + 1));
    return now.t < 2.0;
  });
  EXPECT_GE(state.t, 2.0);
  EXPECT_LT(state.t, 2.5);  // no step was longer than the accuracy allows
  EXPECT_EQ(state.gradients, objective.evaluations);
}

TEST(FlowTest, ARejectedStepLeavesTheParametersAsTheyWere) {
  // The trial point may be far off: with 1e6 it is at 1e38.
  for (const char* first_step : {"1", "100", "1e6"}) {
    SCOPED_TRACE(first_step);
    Quadratic objective;
    expect_the_exact_flow(objective, first_step, 1.0);
  }
}

TEST(FlowTest, AStepThatOverflowsIsTakenAgainWithASmallerOne) {
  // The last stage of a step of 1e4 and the end of a step of 100 are too large for a norm.
  for (const char* first_step : {"100", "1e4"}) {
    SCOPED_TRACE(first_step);
    Quadratic objective;
    expect_the_exact_flow(objective, first_step, 1e140);
  }
}

TEST(FlowTest, AStepOnWhichTheGradientFailsIsTakenAgainWithASmallerOne) {
  for (const bool gives_nan : {false, true}) {
    Quadratic objective;
    objective.radius = 4.0;  // the flow starts at √11 and falls
    objective.gives_nan = gives_nan;
    expect_the_exact_flow(objective, "1e4", 1.0);
  }
}

TEST(FlowTest, AFixedStepIsNotMadeSmaller) {
  Quadratic objective;
  objective.radius = 4.0;
  const GivenOptions options({{"flow_ts_adapt_type", "none"}, {"flow_ts_dt", "10"}});
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 100.0, 100);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_THROW(flow.run(theta.get(), state, record(points)), Error);
  EXPECT_EQ(points.size(), 1U);
}

TEST(FlowTest, AStepIsGivenUpAfterTenRejectionsAtTheLastGoodPoint) {
  Quadratic objective;
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 1.0, 100);
  DynamicsState state;
  std::vector<Point> points;
  std::vector<double> last;
  const auto observer = record(points);
  try {
    flow.run(theta.get(), state,
             [&](const DynamicsState& now, Vec at, Vec gradient, const Evaluation& found) {
               last = all_entries(at);
               if (now.step == 3) objective.fail_at = objective.evaluations + 1;
               return observer(now, at, gradient, found);
             });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "seeded failure");
    EXPECT_TRUE(error.collective());
  }
  EXPECT_EQ(points.size(), 4U);
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(all_entries(theta.get()), last);
  EXPECT_EQ(objective.evaluations - objective.fail_at + 1, 11);  // the second stage, once and ten times more
}

TEST(FlowTest, AStepThatIsNeverAccurateEnoughIsGivenUpOnce) {
  // TS reports the failed step like any other step; the observer must not see its start again.
  Quadratic objective;
  const GivenOptions options(OptionList{{"flow_ts_dt", "1e30"}});
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 1e305, 100);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_THROW(flow.run(theta.get(), state, record(points)), Error);
  EXPECT_EQ(points.size(), 1U);
  EXPECT_EQ(state.local_error_sum, 0.0);
  EXPECT_EQ(all_entries(theta.get()), all_entries(ones(11).get()));
}

TEST(FlowTest, AResumedRunRepeatsTheStraightOneBitByBit) {
  Quadratic objective;
  const auto make = [](Objective& of, Vec theta) { return std::make_unique<Flow>(of, theta, 2.0, 100000); };
  expect_resumed_equals_straight(objective, make, 0);
  expect_resumed_equals_straight(objective, make, 4);
}

TEST(FlowTest, AResumedRunWithRejectedStepsRepeatsTheStraightOneToo) {
  const GivenOptions options(OptionList{{"flow_ts_dt", "1e4"}});
  Quadratic objective;
  objective.radius = 4.0;
  const auto make = [](Objective& of, Vec theta) { return std::make_unique<Flow>(of, theta, 1e9, 40); };
  expect_resumed_equals_straight(objective, make, 1);
}

TEST(FlowTest, AResumedRunWithAReusedLastStageRepeatsTheStraightOneToo) {
  Quadratic objective;
  for (const char* type : {"-flow_ts_rk_type 5dp", "-flow_ts_rk_type 3bs"}) {
    PetscOptionsInsertString(nullptr, type);
    expect_resumed_equals_straight(
        objective, [](Objective& of, Vec theta) { return std::make_unique<Flow>(of, theta, 1.0, 100000); },
        3);
    PetscOptionsClearValue(nullptr, "-flow_ts_rk_type");
  }
}

TEST(FlowTest, ALossThatExplodesButStaysFiniteEndsTheRun) {
  // Fixed steps of 2 are beyond the stability of every explicit method for a rate of 4.5.
  const GivenOptions options({{"flow_ts_adapt_type", "none"}, {"flow_ts_dt", "2"}});
  Quadratic objective;
  const VecHandle theta = ones(11);
  Flow flow(objective, theta.get(), 1e3, 1000);
  DynamicsState state;
  std::vector<Point> points;
  try {
    flow.run(theta.get(), state, record(points));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_NE(std::string(error.what()).find("the loss has grown to"), std::string::npos) << error.what();
  }
}

TEST(FlowTest, AnIntegratorWithoutAnEstimateStatesNoError) {
  const GivenOptions options(
      {{"flow_ts_type", "euler"}, {"flow_ts_dt", "0.01"}, {"flow_ts_adapt_type", "none"}});
  Quadratic objective;
  const VecHandle theta = ones(5);
  Flow flow(objective, theta.get(), 0.1, 1000);
  DynamicsState state;
  std::vector<Point> points;
  flow.run(theta.get(), state, record(points));
  EXPECT_TRUE(std::isinf(state.local_error_sum));
}

}  // namespace
}  // namespace poise
