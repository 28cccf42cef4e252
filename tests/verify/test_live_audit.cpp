// Theorem 1 on whole runs: distributed model, flow by TS, eigenvalue by SLEPc, on every grid.
#include <gtest/gtest.h>

#include <cmath>

#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/theory/live_audit.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using namespace testing_support;

struct AuditedRun {
  AuditedRun(int feature_ranks, const Loss* loss, double gamma, Index m, Index q, Index n, bool mean = true)
      : grid(MPI_COMM_WORLD, feature_ranks),
        layout(grid, m, q),
        problem(random_problem(layout, loss, n)),
        model(layout, gamma),
        theta(layout.create()) {
    problem.mean = mean;
    shallow = std::make_unique<ShallowLoss>(layout, problem);
    objective = std::make_unique<CollapsedObjective>(model, *shallow);
    audit = std::make_unique<LiveAudit>(model, *shallow, 1);
    layout.initialise(theta.get(), 1, 1.0, 1.0);
  }
  /// Follows the dynamics until it ends or a bound is violated; returns the audited points.
  std::vector<AuditPoint> follow(Dynamics& dynamics, Index stop_at = -1) {
    std::vector<AuditPoint> points;
    dynamics.run(theta.get(), state, [&](const DynamicsState& now, Vec, Vec gradient, const Evaluation&) {
      double norm = 0.0;
      check(VecNorm(gradient, NORM_2, &norm));
      points.push_back(audit->observe(now.step, now.t, theta.get(), norm, now.local_error_sum));
      return points.back().row.held && now.step != stop_at;
    });
    return points;
  }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  CollapsedModel model;
  std::unique_ptr<ShallowLoss> shallow;
  std::unique_ptr<CollapsedObjective> objective;
  std::unique_ptr<LiveAudit> audit;
  VecHandle theta;
  DynamicsState state;
};

TEST(LiveAuditTest, BothBoundsHoldForEveryLossWidthAndContraction) {
  // The theorem needs no assumption on the width: also models narrower than the outputs, and features of
  // deficient rank (n < m).
  struct Shape {
    Index m, q, n;
  };
  for (const Loss* loss : {squared_loss(), cross_entropy_loss(), logistic_loss()}) {
    for (const Shape& shape : {Shape{2, 4, 20}, Shape{7, 3, 30}, Shape{9, 2, 4}}) {
      for (const double gamma : {0.1, 0.8, 0.99}) {
        AuditedRun run(1, loss, gamma, shape.m, loss == logistic_loss() ? 1 : shape.q, shape.n);
        Flow flow(*run.objective, run.theta.get(), gamma > 0.9 ? 0.02 : 0.5, 100000);
        const auto points = run.follow(flow);
        EXPECT_TRUE(run.audit->rates().held()) << loss->name() << " m = " << shape.m << " gamma = " << gamma
                                               << ": " << run.audit->rates().verdict();
        EXPECT_GT(points.size(), 3U);
        EXPECT_LT(points.back().sample.excess, points.front().sample.excess);
        for (const AuditPoint& point : points) EXPECT_GE(point.sample.lambda_min, point.row.floor);
      }
    }
  }
}

TEST(LiveAuditTest, RowsDoNotDependOnTheGrid) {
  std::vector<AuditPoint> reference;
  for (const int feature_ranks : feature_rank_choices()) {
    AuditedRun run(feature_ranks, squared_loss(), 0.8, 6, 3, 25);
    Flow flow(*run.objective, run.theta.get(), 1.0, 12);
    const auto points = run.follow(flow);
    if (reference.empty()) reference = points;
    ASSERT_EQ(points.size(), reference.size());
    for (std::size_t k = 0; k < points.size(); ++k) {
      EXPECT_NEAR(points[k].sample.excess, reference[k].sample.excess, 1e-10 * reference[0].sample.excess);
      // The eigenvalue is reported with the eigensolver's residual of 1e-7 subtracted.
      EXPECT_NEAR(points[k].sample.lambda_min, reference[k].sample.lambda_min,
                  1e-6 * reference[k].sample.lambda_min);
    }
  }
}

TEST(LiveAuditTest, SumScaleMultipliesKappaAndTheExcessByN) {
  AuditedRun mean(1, squared_loss(), 0.8, 6, 3, 25, true);
  AuditedRun sum(1, squared_loss(), 0.8, 6, 3, 25, false);
  EXPECT_NEAR(sum.audit->constants().kappa, 25.0 * mean.audit->constants().kappa,
              1e-12 * sum.audit->constants().kappa);
  const double a = mean.audit->observe(0, 0.0, mean.theta.get(), 0.0, 0.0).sample.excess;
  const double b = sum.audit->observe(0, 0.0, sum.theta.get(), 0.0, 0.0).sample.excess;
  EXPECT_NEAR(b, 25.0 * a, 1e-12 * b);
}

TEST(LiveAuditTest, TooLongADescentStepIsCaughtAtItsStep) {
  AuditedRun run(1, squared_loss(), 0.8, 6, 3, 25);
  DescentSettings settings;
  settings.step_size = 2.0;
  Descent descent(*run.objective, run.theta.get(), settings, 1e9, 50);
  const auto points = run.follow(descent);
  ASSERT_FALSE(run.audit->rates().held());
  ASSERT_TRUE(run.audit->rates().first_violation().has_value());
  EXPECT_EQ(run.audit->rates().first_violation()->step, points.back().sample.step);
  EXPECT_GT(points.back().sample.excess, points.back().row.bound);
  EXPECT_NE(run.audit->rates().verdict().find("violated"), std::string::npos);
}

TEST(LiveAuditTest, AResumedAuditGoesOnBitByBit) {
  AuditedRun straight(1, squared_loss(), 0.8, 6, 3, 25);
  Flow straight_flow(*straight.objective, straight.theta.get(), 0.7, 100000);
  const auto expected = straight.follow(straight_flow);

  AuditedRun first(1, squared_loss(), 0.8, 6, 3, 25);
  Flow first_flow(*first.objective, first.theta.get(), 0.7, 100000);
  const auto before = first.follow(first_flow, 5);
  ASSERT_LT(before.size(), expected.size());
  const LiveAudit::State state = first.audit->state();

  AuditedRun second(1, squared_loss(), 0.8, 6, 3, 25);
  check(VecCopy(first.theta.get(), second.theta.get()));
  second.state = first.state;
  second.audit->restore(state);
  Flow second_flow(*second.objective, second.theta.get(), 0.7, 100000);
  const auto after = second.follow(second_flow);
  ASSERT_EQ(before.size() + after.size(), expected.size());
  for (std::size_t k = 0; k < after.size(); ++k) {
    const AuditPoint& want = expected[before.size() + k];
    EXPECT_EQ(after[k].sample.excess, want.sample.excess);
    EXPECT_EQ(after[k].sample.lambda_min, want.sample.lambda_min);
    EXPECT_EQ(after[k].row.bound, want.row.bound);
    EXPECT_EQ(after[k].row.bound_integrated, want.row.bound_integrated);
  }
}

}  // namespace
}  // namespace poise
