#include <gtest/gtest.h>

#include <cmath>

#include "poise/dynamics/minimise.hpp"
#include "support/given_options.hpp"
#include "quadratic.hpp"

namespace poise {
namespace {

using namespace testing_support;

/// Rosenbrock's valleys, one per pair of consecutive entries: Σ 10(y − x²)² + (1 − x)², with its
/// minimum 0 at (1, …, 1).
class Rosenbrock final : public Objective {
 public:
  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    ++evaluations;
    double loss = 0.0;
    {
      const ReadArray x(theta);
      WriteArray g(gradient);
      for (std::size_t i = 0; i + 1 < x.span().size(); i += 2) {
        const double valley = x[i + 1] - x[i] * x[i];
        loss += 10.0 * valley * valley + (1.0 - x[i]) * (1.0 - x[i]);
        g[i] = -40.0 * x[i] * valley - 2.0 * (1.0 - x[i]);
        g[i + 1] = 20.0 * valley;
      }
    }
    MPI_Allreduce(MPI_IN_PLACE, &loss, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    Evaluation result;
    result.train.loss = loss;
    return result;
  }
  Score score(Vec, const SampleSet&) override { return {}; }
  Index evaluations = 0;
};

/// Σ θ_i − log θ_i, with its minimum at (1, …, 1). Fails if an entry is not positive: from 5, Newton's
/// step goes to −15.
class Barrier final : public Objective {
 public:
  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    double least = 0.0;
    check(VecMin(theta, nullptr, &least));
    if (least <= 0.0) {
      ++failures;
      throw Error(ExitCode::failed, "seeded failure", true);
    }
    Evaluation result;
    const ReadArray x(theta);
    WriteArray g(gradient);
    for (std::size_t i = 0; i < x.span().size(); ++i) {
      g[i] = 1.0 - 1.0 / x[i];
      result.train.loss += x[i] - std::log(x[i]);
    }
    MPI_Allreduce(MPI_IN_PLACE, &result.train.loss, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return result;
  }
  Score score(Vec, const SampleSet&) override { return {}; }
  Index failures = 0;
};

/// Two pairs on every rank, all entries −1.
VecHandle valley_start() {
  VecHandle theta = create_vec(MPI_COMM_WORLD, 4);
  check(VecSet(theta.get(), -1.0));
  return theta;
}

/// The observer must see θ, its own gradient and its own loss.
Observer consistent(Objective& objective, std::vector<Point>& points) {
  return [&](const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
    const VecHandle again = duplicate(theta);
    const Evaluation expected = objective.value_and_gradient(theta, again.get());
    EXPECT_EQ(all_entries(gradient), all_entries(again.get()));
    EXPECT_EQ(evaluation.train.loss, expected.train.loss);
    EXPECT_EQ(state.t, static_cast<double>(state.step));
    points.push_back({state.step, state.t, evaluation.train.loss, 0.0});
    return true;
  };
}

class MinimiseTest : public testing::TestWithParam<const char*> {};

TEST_P(MinimiseTest, ReachesTheMinimumOfAQuadratic) {
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  Quadratic objective;
  const VecHandle theta = ones(11);
  Minimise minimise(objective, theta.get(), 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(minimise.run(theta.get(), state, record(points)), StopReason::converged);
  for (const double entry : all_entries(theta.get())) EXPECT_NEAR(entry, 0.0, 2.1e-8);
  EXPECT_EQ(state.gradients, objective.evaluations);
  EXPECT_LT(state.step, 60);
}

TEST_P(MinimiseTest, FollowsACurvedValleyToItsEndAndShowsEveryStepOnce) {
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  Rosenbrock objective;
  const VecHandle theta = valley_start();
  Minimise minimise(objective, theta.get(), 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(minimise.run(theta.get(), state, consistent(objective, points)), StopReason::converged);
  for (const double entry : all_entries(theta.get())) EXPECT_NEAR(entry, 1.0, 1e-6);
  ASSERT_EQ(static_cast<Index>(points.size()), state.step + 1);
  for (std::size_t k = 0; k < points.size(); ++k) EXPECT_EQ(points[k].step, static_cast<Index>(k));
  EXPECT_EQ(state.gradients, objective.evaluations - static_cast<Index>(points.size()));
}

TEST_P(MinimiseTest, GoesAroundTrialPointsThatFail) {
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  Barrier objective;
  const VecHandle theta = constant(6, 50.0);
  Minimise minimise(objective, theta.get(), 1000);
  DynamicsState state;
  std::vector<Point> points;
  EXPECT_EQ(minimise.run(theta.get(), state, consistent(objective, points)), StopReason::converged);
  for (const double entry : all_entries(theta.get())) EXPECT_NEAR(entry, 1.0, 1e-7);
  EXPECT_GT(objective.failures, 0);
  for (std::size_t k = 1; k < points.size(); ++k) EXPECT_LE(points[k].loss, points[k - 1].loss);
}

TEST_P(MinimiseTest, EndsAtTheLastStepAndGoesOnFromThere) {
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  Rosenbrock objective;
  const VecHandle theta = valley_start();
  DynamicsState state;
  std::vector<Point> points;
  Minimise first(objective, theta.get(), 1);
  EXPECT_EQ(first.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(state.step, 1);
  EXPECT_EQ(points.size(), 2U);
  EXPECT_EQ(first.run(theta.get(), state, record(points)), StopReason::reached_steps);
  EXPECT_EQ(points.size(), 2U);
  Minimise second(objective, theta.get(), 1000);
  EXPECT_EQ(second.run(theta.get(), state, record(points)), StopReason::converged);
  for (std::size_t k = 0; k < points.size(); ++k) EXPECT_EQ(points[k].step, static_cast<Index>(k));
  for (const double entry : all_entries(theta.get())) EXPECT_NEAR(entry, 1.0, 1e-6);
}

TEST_P(MinimiseTest, StopsWhereTheObserverSaysSo) {
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  for (const Index stop_at : {0, 2}) {
    Rosenbrock objective;
    const VecHandle theta = valley_start();
    Minimise minimise(objective, theta.get(), 1000);
    DynamicsState state;
    std::vector<Point> points;
    EXPECT_EQ(minimise.run(theta.get(), state, record(points, stop_at)), StopReason::stopped_by_observer);
    EXPECT_EQ(state.step, stop_at);
    EXPECT_EQ(static_cast<Index>(points.size()), stop_at + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MinimiseTest, testing::Values("lmvm", "cg", "bncg", "ntr", "nls", "ntl"),
                         [](const auto& type) { return std::string(type.param); });

TEST(MinimiseFailureTest, OfTheFirstEvaluationReachesTheCallerAsItsOwnException) {
  Quadratic objective;
  objective.fail_at = 1;
  const VecHandle theta = ones(5);
  Minimise minimise(objective, theta.get(), 100);
  DynamicsState state;
  std::vector<Point> points;
  try {
    minimise.run(theta.get(), state, record(points));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "seeded failure");
  }
}

TEST(MinimiseFailureTest, OfEveryTrialPointNamesTheReasonTheGradientAndTheCause) {
  for (const char* name : {"lmvm", "cg", "nls"}) {
    const GivenOptions type(OptionList{{"min_tao_type", name}});
    Quadratic objective;
    objective.fail_at = 2;
    const VecHandle theta = ones(5);
    Minimise minimise(objective, theta.get(), 100);
    DynamicsState state;
    std::vector<Point> points;
    try {
      minimise.run(theta.get(), state, record(points));
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(error.collective());
      EXPECT_NE(message.find("seeded failure"), std::string::npos) << message;
      if (std::string(name) == "nls") continue;  // fails in the product with the Hessian
      EXPECT_NE(message.find("LS_FAILURE"), std::string::npos) << message;
      EXPECT_NE(message.find("at a gradient of norm 6."), std::string::npos) << message;
    }
    EXPECT_EQ(points.size(), 1U);
  }
}

TEST(MinimiseFailureTest, OfNtlWithAPreconditionerThatItCannotTakeIsBadInput) {
  const GivenOptions options(OptionList{{"min_tao_type", "ntl"}, {"min_tao_ntl_pc_type", "none"}});
  Quadratic objective;
  const VecHandle theta = ones(5);
  try {
    const Minimise minimise(objective, theta.get(), 100);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_NE(std::string(error.what()).find("-min_tao_ntl_pc_type"), std::string::npos) << error.what();
  }
}

TEST(MinimiseFailureTest, AnExceptionOfTheObserverReachesTheCaller) {
  Quadratic objective;
  const VecHandle theta = ones(5);
  Minimise minimise(objective, theta.get(), 100);
  DynamicsState state;
  EXPECT_THROW(minimise.run(theta.get(), state,
                            [](const DynamicsState& now, Vec, Vec, const Evaluation&) -> bool {
                              if (now.step == 1) throw Error(ExitCode::failed, "observer", true);
                              return true;
                            }),
               Error);
}

}  // namespace
}  // namespace poise
