// The linear rate that the Gram matrix of the tangents proves for nonlinear models, on runs of the real
// models.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/theory/tangent_gram.hpp"
#include "unit/theory/tangent_networks.hpp"

namespace poise {
namespace {

using namespace testing_support;

struct GramRun {
  /// Every rank does the same run alone, so that long runs need no messages.
  GramRun(Kind kind, const TangentSizes& sizes) : GramRun(kind, MPI_COMM_SELF, 1, sizes) {}
  GramRun(Kind kind, MPI_Comm comm, int feature_ranks, const TangentSizes& sizes)
      : network(kind, comm, feature_ranks, sizes),
        objective(network.make(network.problem, {})),
        audit(network.layout, network.problem, network.factory()) {}
  void follow(Dynamics& dynamics) {
    DynamicsState state;
    dynamics.run(network.theta.get(), state,
                 [&](const DynamicsState& now, Vec theta, Vec gradient, const Evaluation& evaluation) {
                   double norm = 0.0;
                   check(VecNorm(gradient, NORM_2, &norm));
                   points.push_back(audit.observe(now.step, now.t, theta, norm, now.local_error_sum));
                   losses.push_back(evaluation.train.loss);
                   norms.push_back(norm);
                   return points.back().audit.row.held;
                 });
  }
  void flow(double time, Index steps = 100000) {
    Flow flow(*objective, network.theta.get(), time, steps);
    follow(flow);
  }
  /// Whether the bound would have held with λ_min(K) `factor` times as large.
  [[nodiscard]] bool held_with(double factor) const {
    RateAudit rates(audit.constants());
    for (const GramPoint& point : points) {
      AuditSample sample = point.audit.sample;
      sample.lambda_min *= factor;
      (void)rates.add(sample);
    }
    return rates.held();
  }
  TangentNetwork network;
  std::shared_ptr<Objective> objective;
  GramAudit audit;
  std::vector<GramPoint> points;
  std::vector<double> losses, norms;
};

/// nq = 6 outputs of 150 parameters and more.
TangentSizes over_parametrised(const Loss* loss = squared_loss()) {
  return {.m = 10, .d = 3, .q = 2, .n = 3, .gamma = 0.6, .scale = 0.7, .loss = loss};
}

TEST(GramRate, FlowsOfNonlinearModelsStayBelowTheBoundToAGlobalMinimum) {
  for (const Kind kind : {Kind::tanh_softmax, Kind::tanh_free, Kind::tanh_spectral, Kind::feedforward_tanh}) {
    SCOPED_TRACE(to_string(kind));
    GramRun run(kind, over_parametrised());
    run.flow(8.0);
    EXPECT_TRUE(run.audit.rates().held()) << run.audit.rates().verdict();
    EXPECT_GT(run.points.size(), 10U);
    const AuditPoint& last = run.points.back().audit;
    EXPECT_LT(last.sample.excess, 1e-3 * run.points.front().audit.sample.excess);
    EXPECT_GT(last.row.lambda_T, 0.0);
    // The bound is not trivial: it has fallen, too.
    EXPECT_LT(last.row.bound_integrated, 0.5 * run.points.front().audit.sample.excess);
    EXPECT_GE(run.audit.rates().smallest_tightness(), 1.0);
    EXPECT_FALSE(run.held_with(2.0));
    RecordProperty("measured_over_guaranteed_exponent_" + to_string(kind),
                   std::to_string(last.row.tightness_integrated));
    for (const GramPoint& point : run.points) EXPECT_GE(point.spectrum.lambda_min, point.audit.row.floor);
  }
}

// Along a kink the steps of the integrator are tiny, so the test follows only some of them.
TEST(GramRate, FlowsThatMeetKinksStayBelowTheBound) {
  GramRun run(Kind::relu_monotone, over_parametrised());
  run.flow(8.0, 60);
  EXPECT_TRUE(run.audit.rates().held()) << run.audit.rates().verdict();
  EXPECT_LT(run.points.back().audit.sample.excess, 0.9 * run.points.front().audit.sample.excess);
}

TEST(GramRate, LossAndGradientAreThoseOfTheRunOnEveryGrid) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Loss* loss : {squared_loss(), cross_entropy_loss()}) {
      GramRun run(Kind::tanh_free, MPI_COMM_WORLD, feature_ranks, over_parametrised(loss));
      run.flow(0.5, 2);
      EXPECT_TRUE(run.audit.rates().held()) << run.audit.rates().verdict();
      ASSERT_EQ(run.points.size(), 3U);
      for (std::size_t k = 0; k < run.points.size(); ++k) {
        EXPECT_NEAR(run.points[k].audit.sample.loss, run.losses[k], 1e-10 * run.losses[k]);
        EXPECT_NEAR(run.points[k].gradient_norm, run.norms[k], 1e-9 * run.norms[k]);  // ‖∇L‖² = gᵀK g
      }
    }
  }
}

TEST(GramRate, CrossEntropyIsAuditedWithItsMeasuredConstant) {
  GramRun run(Kind::tanh_softmax, over_parametrised(cross_entropy_loss()));
  run.flow(20.0);
  EXPECT_TRUE(std::isnan(run.audit.constants().kappa));
  EXPECT_TRUE(run.audit.rates().held()) << run.audit.rates().verdict();
  const AuditPoint& last = run.points.back().audit;
  EXPECT_LT(last.row.bound_integrated, 0.9 * run.points.front().audit.sample.excess);
  EXPECT_LT(last.row.kappa_measured, run.points.front().audit.row.kappa_measured);
}

// With one output K is a number, and the inequality of the proof is an equation. Loss and bound differ only
// by the lower sum of the integral, whose error falls with the steps.
TEST(GramRate, TheBoundIsSharpForOneOutputAndFailsIfOverstated) {
  TangentSizes sizes = over_parametrised();
  sizes.m = 6;
  sizes.n = sizes.q = 1;
  for (const Kind kind : {Kind::tanh_softmax, Kind::tanh_free, Kind::relu_monotone}) {
    SCOPED_TRACE(to_string(kind));
    GramRun run(kind, sizes);
    run.flow(0.5);
    EXPECT_TRUE(run.audit.rates().held()) << run.audit.rates().verdict();
    EXPECT_GE(run.points.back().audit.row.tightness_integrated, 1.0);
    EXPECT_LT(run.points.back().audit.row.tightness_integrated, 1.1);
    EXPECT_TRUE(run.held_with(1.0));
    EXPECT_FALSE(run.held_with(1.2));
    EXPECT_FALSE(run.held_with(2.0));
  }
}

TEST(GramRate, TooLongADescentStepIsCaughtAtItsStep) {
  GramRun run(Kind::tanh_free, over_parametrised());
  DescentSettings settings;
  settings.step_size = 10.0;
  Descent descent(*run.objective, run.network.theta.get(), settings, 1e9, 50);
  run.follow(descent);
  ASSERT_FALSE(run.audit.rates().held());
  EXPECT_EQ(run.audit.rates().first_violation()->step, run.points.back().audit.sample.step);
  EXPECT_NE(run.audit.rates().verdict().find("the rate of the Gram matrix is violated"), std::string::npos);
}

TEST(GramRate, ASingularMatrixProvesNothingAndSaysSo) {
  TangentSizes sizes = over_parametrised();
  sizes.m = 2;
  sizes.n = 12;  // 24 outputs of 4 parameters
  GramRun run(Kind::shallow, sizes);
  run.flow(1.0);
  EXPECT_TRUE(run.audit.rates().held());
  const AuditPoint& last = run.points.back().audit;
  EXPECT_GT(last.row.bound_integrated, (1.0 - 1e-9) * run.points.front().audit.sample.excess);
  EXPECT_LT(last.sample.excess, run.points.front().audit.sample.excess);
}

TEST(GramRate, ARestoredAuditGoesOnBitByBit) {
  GramRun run(Kind::tanh_softmax, over_parametrised());
  run.flow(0.5);
  GramAudit restored(run.network.layout, run.network.problem, run.network.factory());
  restored.restore(run.audit.rates().save());
  const auto next = [&](GramAudit& audit) {
    return audit.observe(99, 0.6, run.network.theta.get(), 1.0, 0.0).audit.row;
  };
  const AuditRow expected = next(run.audit);
  const AuditRow found = next(restored);
  EXPECT_EQ(found.bound_integrated, expected.bound_integrated);
  EXPECT_EQ(found.tightness, expected.tightness);
}

TEST(GramRate, ALinearLossHasNoRate) {
  TangentNetwork network(Kind::tanh_free, MPI_COMM_WORLD, 1);
  network.problem.loss = linear_loss();
  EXPECT_THROW(GramAudit(network.layout, network.problem, network.factory()), Error);
}

}  // namespace
}  // namespace poise
