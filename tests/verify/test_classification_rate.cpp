// Theorem 1 for classification: a flow of the real model stays below its bounds from L*, on every grid.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "poise/dynamics/flow.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/theory/classification_rates.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "support/problems.hpp"
#include "unit/theory/classification_problems.hpp"

namespace poise {
namespace {

using testing::Classification;
using testing::Samples;
using testing_support::feature_rank_choices;

constexpr double gamma_factor = 0.8;

/// RateAudit of a whole run with one constant; NaN: the running infimum of κ_t.
struct AuditedWith {
  AuditedWith(double kappa, double lambda_floor, double error_bound, const std::vector<AuditSample>& samples)
      : constants{kappa, lambda_floor, error_bound}, rates(constants) {
    for (const AuditSample& sample : samples) rows.push_back(rates.add(sample));
  }
  AuditConstants constants;
  RateAudit rates;
  std::vector<AuditRow> rows;
};

/// All audits of a run: with κ_R and the constant of the outputs, if they exist, and with κ_t.
struct RunAudit {
  RunAudit(const ClassificationRates& found, const std::vector<AuditSample>& all, double lambda_floor)
      : samples(all),
        obstacle(found.obstacle()),
        largest_entry(found.largest_entry()),
        measured(std::nan(""), lambda_floor, found.optimum().error_bound, all) {
    for (const AuditRow& row : measured.rows)
      if (!std::isnan(row.kappa_measured)) smallest_kappa = std::min(smallest_kappa, row.kappa_measured);
    const double kappa_ball = found.kappa_ball(), kappa_outputs = found.kappa_outputs();
    EXPECT_EQ(std::isnan(kappa_ball), !obstacle.empty());
    EXPECT_EQ(std::isnan(kappa_outputs), !obstacle.empty());
    if (!obstacle.empty()) return;
    ball.emplace(kappa_ball, lambda_floor, found.optimum().error_bound, all);
    outputs.emplace(kappa_outputs, lambda_floor, found.optimum().error_bound, all);
  }
  [[nodiscard]] bool held() const {
    return measured.rates.held() && (!ball || ball->rates.held()) && (!outputs || outputs->rates.held());
  }
  std::vector<AuditSample> samples;
  std::string obstacle;
  double largest_entry;
  AuditedWith measured;
  std::optional<AuditedWith> ball, outputs;
  double smallest_kappa = std::numeric_limits<double>::infinity();
};

/// W and λ_min(D) along a gradient flow of the softmax-linear model.
class AuditedFlow {
 public:
  AuditedFlow(int feature_ranks, const Loss* loss, const Samples& samples, Index q)
      : problem(feature_ranks, loss, samples, q),
        model_(problem.layout, gamma_factor),
        objective_(model_, problem.shallow),
        dynamics_(model_.softmax(), model_.gamma(), q),
        eigensolver_(dynamics_, 1),
        theta_(problem.layout.create()) {
    problem.layout.initialise(theta_.get(), 1, 1.0, 0.3);
  }
  /// Calls a function at every step with step, t, λ_min, its error, the integration error, and W.
  template <class Visit>
  void follow(double end_time, const Visit& visit) {
    Flow flow(objective_, theta_.get(), end_time, 100000);
    DynamicsState state;
    flow.run(theta_.get(), state, [&](const DynamicsState& now, Vec theta, Vec gradient, const Evaluation&) {
      double norm = 0.0;
      check(VecNorm(gradient, NORM_2, &norm));
      (void)model_.set_parameters(theta);
      dynamics_.update(model_.w());
      const SmallestEigenvalue eigenvalue = eigensolver_.solve();
      AuditSample sample;
      sample.step = now.step;
      sample.t = now.t;
      sample.lambda_min = eigenvalue.lambda_min;
      sample.lambda_error = eigenvalue.lambda_min - eigenvalue.lower_bound;
      sample.integration_error = norm * now.local_error_sum;
      visit(sample, model_.w());
      return true;
    });
  }
  RunAudit audit(double end_time, const ConvexOptimum& optimum) {
    ClassificationRates rates(problem.shallow, optimum);
    std::vector<AuditSample> samples;
    follow(end_time, [&](AuditSample sample, const double* w) {
      (void)rates.measure(w, sample);
      samples.push_back(sample);
    });
    return {rates, samples, dynamics_.lambda_floor()};
  }
  [[nodiscard]] double floor() const { return dynamics_.lambda_floor(); }
  Classification problem;

 private:
  CollapsedModel model_;
  CollapsedObjective objective_;
  DynamicsMatrix dynamics_;
  SmallestEigensolver eigensolver_;
  VecHandle theta_;
};

struct Kind {
  const Loss* loss;
  Index q;
};

TEST(ClassificationRate, FlowsStayBelowAllThreeBoundsOnEveryGrid) {
  for (const Kind& kind : {Kind{logistic_loss(), 1}, Kind{cross_entropy_loss(), 3}}) {
    const Samples samples = testing::noisy_samples(3, 60, std::max<Index>(2, kind.q), 101, 6.0);
    double first_excess = 0.0;
    for (const int feature_ranks : feature_rank_choices()) {
      AuditedFlow run(feature_ranks, kind.loss, samples, kind.q);
      const ConvexOptimum optimum = solve_convex_optimum(run.problem.shallow);
      const RunAudit result = run.audit(10.0, optimum);
      ASSERT_TRUE(result.ball && result.outputs);
      EXPECT_TRUE(result.held()) << result.measured.rates.verdict() << "; " << result.ball->rates.verdict()
                                 << "; " << result.outputs->rates.verdict();
      ASSERT_GT(result.samples.size(), 10U);
      EXPECT_LT(result.samples.back().excess, 1e-3 * result.samples.front().excess);
      EXPECT_GT(result.ball->constants.kappa, 0.0);
      EXPECT_GE(result.outputs->constants.kappa, result.ball->constants.kappa);
      EXPECT_GE(result.smallest_kappa, result.outputs->constants.kappa);
      // The bound of this constant is not trivial: the excess must fall by a known factor.
      EXPECT_LT(result.outputs->rows.back().bound, 0.9 * result.samples.front().excess);
      if (first_excess == 0.0) first_excess = result.samples.back().excess;
      EXPECT_NEAR(result.samples.back().excess, first_excess, 1e-6 * first_excess);
    }
  }
}

TEST(ClassificationRate, ALargerConstantIsCaught) {
  const Samples samples = testing::noisy_samples(4, 60, 2, 102);
  AuditedFlow run(1, logistic_loss(), samples, 1);
  const ConvexOptimum optimum = solve_convex_optimum(run.problem.shallow);
  const RunAudit result = run.audit(10.0, optimum);
  const AuditSample& last = result.samples.back();
  const double exponent = std::log(result.samples.front().excess / last.excess);
  // κ whose bound lies just above the last excess, and just below it.
  for (const bool too_large : {false, true}) {
    AuditConstants constants = result.outputs->constants;
    constants.kappa = exponent / (result.outputs->rows.back().lambda_T * last.t) * (too_large ? 1.01 : 0.99);
    RateAudit audit(constants);
    bool held = true;
    for (std::size_t k = 0; k + 1 < result.samples.size(); ++k) (void)audit.add(result.samples[k]);
    held = audit.add(last).held;
    EXPECT_EQ(held, !too_large);
  }
}

TEST(ClassificationRate, SeparableDataAreAuditedFromZeroAndInABox) {
  const Samples samples = testing::noisy_samples(8, 8, 3, 103);
  AuditedFlow run(1, cross_entropy_loss(), samples, 3);
  const ConvexOptimum optimum = solve_convex_optimum(run.problem.shallow);
  ASSERT_FALSE(optimum.attained);
  const RunAudit result = run.audit(3.0, optimum);
  EXPECT_TRUE(result.held()) << result.measured.rates.verdict();
  EXPECT_FALSE(result.ball || result.outputs);
  EXPECT_EQ(result.samples.back().excess, result.samples.back().loss);
  EXPECT_NE(optimum.statement().find("separable"), std::string::npos);
  EXPECT_NE(result.obstacle.find("no comparator"), std::string::npos);

  const ConvexOptimum boxed = solve_convex_optimum(run.problem.shallow, {1e-12, 1.1 * result.largest_entry});
  AuditedFlow again(1, cross_entropy_loss(), samples, 3);
  const RunAudit in_box = again.audit(3.0, boxed);
  EXPECT_TRUE(in_box.held()) << in_box.measured.rates.verdict();
  ASSERT_TRUE(in_box.ball && in_box.outputs);
  EXPECT_LT(in_box.samples.back().excess, in_box.samples.front().excess);

  const ConvexOptimum small = solve_convex_optimum(run.problem.shallow, {1e-12, 0.5 * result.largest_entry});
  AuditedFlow outside(1, cross_entropy_loss(), samples, 3);
  const RunAudit left = outside.audit(3.0, small);
  EXPECT_FALSE(left.ball || left.outputs);
  EXPECT_NE(left.obstacle.find("left the box"), std::string::npos);
}

TEST(ClassificationRate, DeficientRankLeavesTheMeasuredConstant) {
  Samples samples = testing::noisy_samples(4, 60, 2, 104);
  for (Index i = 0; i < 60; ++i) samples.features(3, i) = samples.features(0, i);
  AuditedFlow run(1, logistic_loss(), samples, 1);
  const ConvexOptimum optimum = solve_convex_optimum(run.problem.shallow);
  const RunAudit result = run.audit(3.0, optimum);
  EXPECT_TRUE(result.held()) << result.measured.rates.verdict();
  EXPECT_FALSE(result.ball || result.outputs);
  EXPECT_NE(result.obstacle.find("rank 3"), std::string::npos);
}

}  // namespace
}  // namespace poise
