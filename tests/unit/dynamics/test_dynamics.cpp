#include <gtest/gtest.h>

#include <cmath>

#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::all_entries;

/// L(θ) = ½ Σ a_i θ_i², whose flow is θ_i(0) exp(−a_i t): known exactly.
class Quadratic final : public Objective {
 public:
  static double rate(Index i) { return 0.5 + static_cast<double>(i % 5); }
  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    ++evaluations;
    const ReadArray x(theta);
    WriteArray g(gradient);
    PetscInt first = 0;
    check(VecGetOwnershipRange(theta, &first, nullptr));
    double loss = 0.0;
    for (std::size_t i = 0; i < x.span().size(); ++i) {
      const double a = rate(first + static_cast<Index>(i));
      g[i] = a * x[i];
      loss += 0.5 * a * x[i] * x[i];
    }
    MPI_Allreduce(MPI_IN_PLACE, &loss, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    Evaluation result;
    result.train.loss = loss;
    if (fail_at > 0 && evaluations >= fail_at) throw Error(ExitCode::failed, "seeded failure", true);
    return result;
  }
  Score test(Vec) override { return {}; }
  Index evaluations = 0;
  Index fail_at = 0;
};

struct Point {
  Index step;
  double t, loss, error;
};

VecHandle ones(Index n) {
  VecHandle vec = create_vec(MPI_COMM_WORLD, 0);
  check(VecCreateMPI(MPI_COMM_WORLD, PETSC_DECIDE, static_cast<PetscInt>(n), vec.out()));
  check(VecSet(vec.get(), 1.0));
  return vec;
}

Observer record(std::vector<Point>& points, Index stop_at = -1) {
  return [&points, stop_at](const DynamicsState& state, Vec, Vec, const Evaluation& evaluation) {
    points.push_back({state.step, state.t, evaluation.train.loss, state.local_error_sum});
    return state.step != stop_at;
  };
}

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
    // the stated error bounds the true one, and is itself near the tolerance of 1e-8 a step
    EXPECT_NEAR(entries[i], std::exp(-2.0 * Quadratic::rate(i)), state.local_error_sum);
  }
  EXPECT_GT(state.local_error_sum, 0.0);
  EXPECT_LT(state.local_error_sum, 1e-8 * 10.0 * static_cast<double>(points.size()));
}

TEST(FlowTest, AdaptiveStepSizesHaveEightBinaryDigits) {
  // So that the rounding of a gradient, which depends on the grid, does not change the times of a history.
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
  // Six stages a step, the first of which is the gradient that the observer saw.
  Quadratic objective;
  const VecHandle theta = ones(5);
  PetscOptionsInsertString(nullptr, "-flow_ts_adapt_type none -flow_ts_dt 0.01");
  Flow flow(objective, theta.get(), 1.0, 10);
  PetscOptionsClearValue(nullptr, "-flow_ts_adapt_type");
  PetscOptionsClearValue(nullptr, "-flow_ts_dt");
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(flow.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(objective.evaluations, 1 + 10 * 6);
  EXPECT_EQ(state.gradients, objective.evaluations);
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

/// Runs straight and interrupted-and-resumed, with new objects as a new process would have.
template <class MakeDynamics>
void expect_resumed_equals_straight(MakeDynamics make, Index stop_at) {
  std::vector<Point> straight, resumed;
  Quadratic objective;
  const VecHandle theta_straight = ones(9);
  DynamicsState state_straight;
  make(objective, theta_straight.get())->run(theta_straight.get(), state_straight, record(straight));

  const VecHandle theta = ones(9);
  DynamicsState state;
  EXPECT_EQ(make(objective, theta.get())->run(theta.get(), state, record(resumed, stop_at)),
            StopReason::stopped_by_observer);
  EXPECT_NE(all_entries(theta.get()), all_entries(theta_straight.get()));  // differs before
  make(objective, theta.get())->run(theta.get(), state, record(resumed));
  EXPECT_EQ(all_entries(theta.get()), all_entries(theta_straight.get()));  // equals after, bit by bit
  ASSERT_EQ(resumed.size(), straight.size());
  for (std::size_t k = 0; k < straight.size(); ++k) {
    EXPECT_EQ(resumed[k].step, straight[k].step);
    EXPECT_EQ(resumed[k].t, straight[k].t);
    EXPECT_EQ(resumed[k].loss, straight[k].loss);
    EXPECT_EQ(resumed[k].error, straight[k].error);
  }
}

TEST(FlowTest, AResumedRunRepeatsTheStraightOneBitByBit) {
  const auto make = [](Objective& objective, Vec theta) {
    return std::make_unique<Flow>(objective, theta, 2.0, 100000);
  };
  expect_resumed_equals_straight(make, 0);
  expect_resumed_equals_straight(make, 4);
}

TEST(FlowTest, AResumedRunWithAReusedLastStageRepeatsTheStraightOneToo) {
  for (const char* type : {"-flow_ts_rk_type 5dp", "-flow_ts_rk_type 3bs"}) {
    PetscOptionsInsertString(nullptr, type);
    expect_resumed_equals_straight(
        [](Objective& objective, Vec theta) { return std::make_unique<Flow>(objective, theta, 1.0, 100000); },
        3);
    PetscOptionsClearValue(nullptr, "-flow_ts_rk_type");
  }
}

TEST(DescentTest, IsTheExplicitEulerMethod) {
  Quadratic objective;
  const VecHandle theta = ones(7);
  Descent descent(objective, theta.get(), steps_of(0.1), 1e9, 20);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(descent.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(points.size(), 21U);
  const auto entries = all_entries(theta.get());
  for (Index i = 0; i < 7; ++i) EXPECT_NEAR(entries[i], std::pow(1.0 - 0.1 * Quadratic::rate(i), 20), 1e-14);
}

TEST(DescentTest, EndsAtTheTime) {
  Quadratic objective;
  const VecHandle theta = ones(7);
  Descent descent(objective, theta.get(), steps_of(0.1), 0.7, 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(descent.run(theta.get(), state, record(points)), StopReason::reached_time);
  EXPECT_EQ(state.step, 7);
}

TEST(DescentTest, AResumedRunRepeatsTheStraightOneBitByBit) {
  expect_resumed_equals_straight(
      [](Objective& objective, Vec theta) {
        return std::make_unique<Descent>(objective, theta, steps_of(0.1), 1e9, 20);
      },
      6);
}

}  // namespace
}  // namespace poise
