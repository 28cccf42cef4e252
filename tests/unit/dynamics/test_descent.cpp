#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "poise/dynamics/descent.hpp"
#include "quadratic.hpp"

namespace poise {
namespace {

using namespace testing_support;
using Method = DescentSettings::Method;
using Entries = std::vector<double>;

constexpr double forever = 1e9;
constexpr Method all_methods[] = {Method::gradient, Method::momentum, Method::nesterov, Method::adam};

DescentSettings steps_of(double step_size, Method method = Method::gradient) {
  DescentSettings settings;
  settings.step_size = step_size;
  settings.method = method;
  return settings;
}

/// θ after `steps` steps from (1, …, 1).
Entries descended(const DescentSettings& settings, Index n, Index steps, DynamicsState* end = nullptr) {
  Quadratic objective;
  const VecHandle theta = ones(n);
  Descent descent(objective, theta.get(), settings, forever, steps);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(descent.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(static_cast<Index>(points.size()), steps + 1);
  if (end != nullptr) *end = state;
  return all_entries(theta.get());
}

/// The same by hand: `update` moves one entry, given its gradient, its two moments and the step number (from
/// 1).
using Update = std::function<void(double& x, double g, double& m, double& v, int step)>;
Entries by_hand(Index n, int steps, const Update& update) {
  Entries entries(static_cast<std::size_t>(n), 1.0);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    double m = 0.0;
    double v = 0.0;
    for (int step = 1; step <= steps; ++step)
      update(entries[i], Quadratic::rate(static_cast<Index>(i)) * entries[i], m, v, step);
  }
  return entries;
}

void expect_near(const Entries& a, const Entries& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-14);
}

TEST(DescentTest, IsTheExplicitEulerMethod) {
  const Entries entries = descended(steps_of(0.1), 7, 20);
  for (std::size_t i = 0; i < 7; ++i)
    EXPECT_NEAR(entries[i], std::pow(1.0 - 0.1 * Quadratic::rate(static_cast<Index>(i)), 20), 1e-14);
}

TEST(DescentTest, OfThePlainGradientTakesTheStepOfAnAxpyBitByBit) {
  Quadratic objective;
  const VecHandle theta = ones(7);
  const VecHandle gradient = duplicate(theta.get());
  for (int k = 0; k < 20; ++k) {
    (void)objective.value_and_gradient(theta.get(), gradient.get());
    check(VecAXPY(theta.get(), -0.1, gradient.get()));
  }
  EXPECT_EQ(descended(steps_of(0.1), 7, 20), all_entries(theta.get()));
}

TEST(DescentTest, EndsAtTheTime) {
  Quadratic objective;
  const VecHandle theta = ones(7);
  Descent descent(objective, theta.get(), steps_of(0.1), 0.7, 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(descent.run(theta.get(), state, record(points)), StopReason::reached_time);
  EXPECT_EQ(state.step, 7);
  EXPECT_EQ(state.t, 7 * 0.1);
}

TEST(DescentTest, WithMomentumIsTheHeavyBall) {
  const Entries expected = by_hand(7, 5, [](double& x, double g, double& m, double&, int) {
    m = 0.9 * m + g;
    x -= 0.1 * m;
  });
  expect_near(descended(steps_of(0.1, Method::momentum), 7, 5), expected);
}

TEST(DescentTest, OfNesterovLooksAhead) {
  const Entries expected = by_hand(7, 5, [](double& x, double g, double& m, double&, int) {
    m = 0.9 * m + g;
    x -= 0.1 * (g + 0.9 * m);
  });
  expect_near(descended(steps_of(0.1, Method::nesterov), 7, 5), expected);
}

TEST(DescentTest, ByAdamCorrectsTheBiasOfItsMeans) {
  const Entries expected = by_hand(7, 5, [](double& x, double g, double& m, double& v, int step) {
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    x -= 0.1 * (m / (1.0 - std::pow(0.9, step))) / (std::sqrt(v / (1.0 - std::pow(0.999, step))) + 1e-8);
  });
  expect_near(descended(steps_of(0.1, Method::adam), 7, 5), expected);
  // The first step is the step size along the sign of the gradient, for a gradient of any size.
  for (const double entry : descended(steps_of(0.1, Method::adam), 7, 1)) EXPECT_NEAR(entry, 0.9, 1e-8);
}

TEST(DescentTest, DecaysWeightsApartFromTheMoments) {
  for (const Method method : all_methods) {
    DescentSettings settings = steps_of(0.1, method);
    settings.weight_decay = 0.5;
    const Entries expected = by_hand(7, 5, [method](double& x, double g, double& m, double& v, int step) {
      const double decay = 0.1 * 0.5 * x;
      if (method == Method::adam) {
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        x -= 0.1 * (m / (1.0 - std::pow(0.9, step))) / (std::sqrt(v / (1.0 - std::pow(0.999, step))) + 1e-8);
      } else {
        m = (method == Method::gradient ? 0.0 : 0.9) * m + g;
        x -= 0.1 * (method == Method::nesterov ? g + 0.9 * m : m);
      }
      x -= decay;
    });
    expect_near(descended(settings, 7, 5), expected);
  }
}

TEST(DescentTest, ClipsTheNormOfTheGradientAndCountsIt) {
  DescentSettings settings = steps_of(0.1);
  settings.clip = 2.0;
  Quadratic objective;
  const VecHandle theta = ones(7);
  const VecHandle before = ones(7);
  Descent descent(objective, theta.get(), settings, forever, 60);
  DynamicsState state;
  Index clipped = 0;
  double last_norm = 0.0;
  descent.run(theta.get(), state, [&](const DynamicsState& now, Vec at, Vec gradient, const Evaluation&) {
    double moved = 0.0;
    check(VecAXPY(before.get(), -1.0, at));
    check(VecNorm(before.get(), NORM_2, &moved));
    check(VecCopy(at, before.get()));
    if (now.step > 0) {
      EXPECT_NEAR(moved, 0.1 * std::min(2.0, last_norm), 1e-14);
    }
    if (now.step > 0 && last_norm > 2.0) ++clipped;
    check(VecNorm(gradient, NORM_2, &last_norm));  // the gradient of the observer is not clipped
    EXPECT_EQ(now.clipped, clipped);
    return true;
  });
  EXPECT_GT(state.clipped, 0);
  EXPECT_LT(state.clipped, 60);
}

TEST(DescentTest, TellsTheStepSizeInForceAndSumsItToTheTime) {
  DescentSettings settings = steps_of(0.1);
  settings.schedule = DescentSettings::Schedule::linear;
  settings.schedule_factor = 0.5;
  Quadratic objective;
  const VecHandle theta = ones(7);
  Descent descent(objective, theta.get(), settings, forever, 10);
  DynamicsState state;
  double sum = 0.0;
  descent.run(theta.get(), state, [&](const DynamicsState& now, Vec, Vec, const Evaluation&) {
    EXPECT_EQ(now.t, sum);
    EXPECT_EQ(now.step_size, 0.1 * settings.schedule_at(now.step, 10));
    sum += now.step_size;
    return true;
  });
  EXPECT_EQ(state.step, 10);
}

TEST(DescentTest, OnMinibatchesEvaluatesTheBatchOfTheStep) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ProcessGrid alone(MPI_COMM_SELF);
  const Minibatches batches(grid.samples(20), 20, 3, 7);
  const Minibatches reference(alone.samples(20), 20, 3, 7);
  Quadratic objective;
  objective.first_sample = grid.samples(20).begin;
  const VecHandle theta = ones(7);
  Descent descent(objective, theta.get(), steps_of(0.1), forever, 15, &batches);
  DynamicsState state;
  std::vector<Point> points;
  descent.run(theta.get(), state, record(points));
  double x = 1.0;  // entry 0
  for (Index step = 0; step < 15; ++step) {
    double c = 0.0;
    for (const Index i : reference.at(step).local) c += Quadratic::centre(i) / 3.0;
    x -= 0.1 * Quadratic::rate(0) * (x - c);
  }
  EXPECT_NEAR(all_entries(theta.get())[0], x, 1e-14);
}

TEST(DescentTest, AResumedRunRepeatsTheStraightOneBitByBit) {
  for (const Method method : all_methods)
    for (const auto schedule : {DescentSettings::Schedule::constant, DescentSettings::Schedule::cosine})
      for (const Index stop_at : {0, 4}) {
        DescentSettings settings = steps_of(0.1, method);
        settings.schedule = schedule;
        settings.weight_decay = 0.01;
        settings.clip = 3.0;
        Quadratic objective;
        expect_resumed_equals_straight(
            objective,
            [&](Objective& of, Vec theta) {
              return std::make_unique<Descent>(of, theta, settings, forever, 10);
            },
            stop_at);
      }
}

TEST(DescentTest, AResumedRunOnMinibatchesRepeatsTheStraightOneBitByBit) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  Quadratic objective;
  objective.first_sample = grid.samples(20).begin;
  for (const Method method : all_methods) {
    std::vector<std::unique_ptr<Minibatches>> batches;  // a new process makes them again
    expect_resumed_equals_straight(
        objective,
        [&](Objective& of, Vec theta) {
          batches.push_back(std::make_unique<Minibatches>(grid.samples(20), 20, 6, 7));
          return std::make_unique<Descent>(of, theta, steps_of(0.1, method), forever, 10,
                                           batches.back().get());
        },
        4);
  }
}

TEST(DescentTest, NeedsItsMomentsToGoOn) {
  // Without the vectors the runs differ, so the test above has a meaning.
  Quadratic objective;
  for (const Method method : {Method::momentum, Method::nesterov, Method::adam}) {
    const VecHandle theta = ones(9);
    DynamicsState state;
    std::vector<Point> points;
    Descent(objective, theta.get(), steps_of(0.1, method), forever, 10)
        .run(theta.get(), state, record(points, 4));
    Descent(objective, theta.get(), steps_of(0.1, method), forever, 10)
        .run(theta.get(), state, record(points));
    EXPECT_NE(all_entries(theta.get()), descended(steps_of(0.1, method), 9, 10));
  }
}

TEST(DescentTest, ASecondRunFromTheStartForgetsTheFirst) {
  Quadratic objective;
  for (const Method method : all_methods) {
    const VecHandle theta = ones(9);
    Descent descent(objective, theta.get(), steps_of(0.1, method), forever, 10);
    std::vector<Point> first, second;
    DynamicsState state;
    descent.run(theta.get(), state, record(first));
    check(VecSet(theta.get(), 1.0));
    state = {};
    descent.run(theta.get(), state, record(second));
    expect_same(first, second);
  }
}

TEST(DescentTest, ALossThatExplodesEndsTheRunAndTheLeastOneIsKnown) {
  DescentSettings settings;
  settings.step_size = 1.0;  // rates go up to 4.5: beyond 2/4.5
  Quadratic objective;
  const VecHandle theta = ones(11);
  Descent descent(objective, theta.get(), settings, 1e9, 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_THROW(descent.run(theta.get(), state, record(points)), Error);
  EXPECT_LT(state.step, 20);
  EXPECT_EQ(state.least_step, 0);
  EXPECT_GT(state.least_loss, 0.0);
}

}  // namespace
}  // namespace poise
