#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "poise/base/error.hpp"
#include "poise/theory/audit.hpp"

namespace poise {
namespace {

constexpr double kappa = 4.0;
constexpr double lambda = 0.5;
constexpr double floor_value = 0.01;
constexpr double start = 12.5;
constexpr double step_size = 0.1;

AuditConstants constants() {
  return {kappa, floor_value, 0.0};
}

/// A point of a flow with excess E and measured ratio κ_t.
AuditSample point(std::int64_t step, double excess, double measured_kappa = kappa,
                  double lambda_min = lambda) {
  AuditSample sample;
  sample.step = step;
  sample.t = static_cast<double>(step) * step_size;
  sample.excess = excess;
  sample.loss = excess + 1.0;
  sample.grad_norm2 = measured_kappa * excess;
  sample.lambda_min = lambda_min;
  return sample;
}

double decay(std::int64_t step, double rate) {
  return start * std::exp(-rate * static_cast<double>(step) * step_size);
}

TEST(RateAudit, DecayAtExactlyTheGuaranteedRateHoldsWithTightnessOne) {
  RateAudit audit(constants());
  for (std::int64_t i = 0; i <= 200; ++i) {
    const AuditRow row = audit.add(point(i, decay(i, kappa * lambda)));
    EXPECT_TRUE(row.held) << "step " << i;
    if (i == 0) continue;
    EXPECT_NEAR(row.tightness, 1.0, 1e-12);
    EXPECT_NEAR(row.tightness_integrated, 1.0, 1e-12);
    EXPECT_NEAR(row.bound_integrated, row.bound, 1e-12 * row.bound);
  }
  EXPECT_TRUE(audit.held());
  EXPECT_NEAR(audit.smallest_tightness(), 1.0, 1e-12);
  EXPECT_NE(audit.verdict().find("held at all 201"), std::string::npos) << audit.verdict();
}

TEST(RateAudit, TheErrorOfTheEigenvalueIsAllowedForButNotRecorded) {
  const double share = 1e-6;
  RateAudit exact(constants());
  RateAudit audit(constants());
  RateAudit beyond(constants());
  for (std::int64_t i = 0; i <= 20; ++i) {
    // The true eigenvalue is smaller than the computed eigenvalue by once or twice the stated error.
    const auto slower = [&](double times) {
      AuditSample sample = point(i, decay(i, kappa * lambda * (1.0 - times * share)));
      sample.lambda_error = share * lambda;
      return sample;
    };
    const AuditRow row = audit.add(slower(1.0));
    EXPECT_TRUE(row.held) << "step " << i;
    const AuditRow without = exact.add(point(i, decay(i, kappa * lambda)));
    EXPECT_EQ(row.lambda_T, without.lambda_T);
    EXPECT_EQ(row.bound, without.bound);
    EXPECT_NEAR(row.bound_integrated, without.bound_integrated, 1e-12 * without.bound);
    EXPECT_EQ(beyond.add(slower(2.0)).held, i == 0) << "step " << i;
  }
}

TEST(RateAudit, ExcessThatFallsTooSlowlyIsCaughtAtItsFirstViolation) {
  RateAudit audit(constants());
  const std::int64_t slow_from = 7;
  for (std::int64_t i = 0; i <= 20; ++i) {
    // Twice the rate up to slow_from, then a standstill; the bound overtakes at twice that time.
    const double excess = decay(std::min(i, slow_from), 2.0 * kappa * lambda);
    const AuditRow row = audit.add(point(i, excess, kappa));
    EXPECT_EQ(row.held, i <= 2 * slow_from) << "step " << i;
  }
  ASSERT_TRUE(audit.first_violation().has_value());
  EXPECT_EQ(audit.first_violation()->step, 2 * slow_from + 1);
  EXPECT_EQ(audit.first_violation()->kind, Violation::Kind::bound);
  EXPECT_EQ(audit.violations(), 20 - 2 * slow_from);
  EXPECT_LT(audit.worst_margin(), 0.0);
  EXPECT_NE(audit.verdict().find("step 15"), std::string::npos) << audit.verdict();
}

TEST(RateAudit, IntegratedBoundAloneCatchesADecaySlowerThanTheMeasuredRates) {
  RateAudit audit(constants());
  for (std::int64_t i = 0; i <= 20; ++i) {
    // The decay meets the global rate, but the measured ratio promises three times as much.
    const AuditRow row = audit.add(point(i, decay(i, 1.5 * kappa * lambda), 3.0 * kappa));
    EXPECT_EQ(row.held, i == 0) << "step " << i;
    EXPECT_LE(row.kappa_measured, 3.0 * kappa * (1.0 + 1e-14));
  }
  ASSERT_TRUE(audit.first_violation().has_value());
  EXPECT_EQ(audit.first_violation()->step, 1);
  EXPECT_EQ(audit.first_violation()->kind, Violation::Kind::bound_integrated);
}

TEST(RateAudit, GlobalBoundAloneCatchesADecayThatTheMeasuredRatesAllow) {
  RateAudit audit(constants());
  for (std::int64_t i = 0; i <= 5; ++i) {
    // A measured ratio below κ: Theorem 1's assumption is broken, only the global bound can show it.
    const AuditRow row = audit.add(point(i, decay(i, 0.5 * kappa * lambda), 0.5 * kappa));
    EXPECT_EQ(row.held, i == 0) << "step " << i;
    if (i > 0) {
      EXPECT_NEAR(row.tightness_integrated, 1.0, 1e-12);
    }
  }
  EXPECT_EQ(audit.first_violation()->kind, Violation::Kind::bound);
}

TEST(RateAudit, EigenvalueBelowItsFloorIsCaught) {
  RateAudit audit(constants());
  EXPECT_TRUE(audit.add(point(0, decay(0, 100.0))).held);
  EXPECT_TRUE(audit.add(point(1, decay(1, 100.0), kappa, floor_value * (1.0 - 1e-12))).held);
  EXPECT_FALSE(audit.add(point(2, decay(2, 100.0), kappa, floor_value * 0.99)).held);
  EXPECT_EQ(audit.first_violation()->kind, Violation::Kind::floor);
  EXPECT_EQ(audit.first_violation()->measured, floor_value * 0.99);
  EXPECT_EQ(audit.first_violation()->required, floor_value);
}

TEST(RateAudit, SmallestEigenvalueSoFarIsInTheGlobalBoundAndNotInTheIntegratedOne) {
  RateAudit audit(constants());
  (void)audit.add(point(0, start, kappa, 1.0));
  (void)audit.add(point(1, start * 0.01, kappa, 0.25));
  const AuditRow row = audit.add(point(2, start * 0.001, kappa, 1.0));
  EXPECT_EQ(row.lambda_T, 0.25);
  EXPECT_DOUBLE_EQ(row.bound, start * std::exp(-kappa * 0.25 * 2.0 * step_size));
  // Both steps touch the dip, so the lower sum takes it for both.
  EXPECT_NEAR(row.bound_integrated, row.bound, 1e-14 * row.bound);
}

TEST(RateAudit, IntegrationErrorWidensTheBoundByExactlyWhatIsStated) {
  const double bound = decay(1, kappa * lambda);
  const double stated = 1e-3;
  const double rounding = RateAudit::rounding_share * (1.0 + kappa * lambda * step_size) * bound;
  for (const double share : {0.999, 1.001}) {
    RateAudit audit(constants());
    (void)audit.add(point(0, start));
    AuditSample sample = point(1, bound + share * (stated + rounding));
    sample.integration_error = stated;
    EXPECT_EQ(audit.add(sample).held, share < 1.0);
  }
}

TEST(RateAudit, ExcessFloorOfRoundingIsAllowed) {
  AuditConstants with_floor = constants();
  with_floor.excess_rounding = 1e-28;
  RateAudit audit(with_floor);
  (void)audit.add(point(0, start));
  EXPECT_TRUE(audit.add(point(1000, 0.9e-28)).held);
  EXPECT_FALSE(audit.add(point(1001, 1.1e-28)).held);
}

TEST(RateAudit, WithoutAGlobalConstantTheSmallestMeasuredRatioIsUsed) {
  AuditConstants unknown = constants();
  unknown.kappa = std::numeric_limits<double>::quiet_NaN();
  RateAudit audit(unknown);
  (void)audit.add(point(0, start, 5.0));
  const AuditRow row = audit.add(point(1, decay(1, 3.0 * lambda), 3.0));
  EXPECT_TRUE(row.held);
  EXPECT_NEAR(row.bound, decay(1, 3.0 * lambda), 1e-14 * start);
  EXPECT_NEAR(row.tightness, 1.0, 1e-13);
}

TEST(RateAudit, ReferenceBelowTheOptimumKeepsTheIntegratedBoundTrue) {
  // dE/dt = -4 λ (E - E*): the flow of a quadratic loss with L* = 1 that the auditor does not know.
  AuditConstants unknown{std::numeric_limits<double>::quiet_NaN(), floor_value, 0.0};
  RateAudit audit(unknown);
  for (std::int64_t i = 0; i <= 100; ++i) {
    const double above = decay(i, kappa * lambda);
    AuditSample sample = point(i, above + 1.0);
    sample.grad_norm2 = kappa * above;
    EXPECT_TRUE(audit.add(sample).held) << "step " << i;
  }
  EXPECT_GT(audit.smallest_tightness(), 1.0);
}

TEST(RateAudit, ZeroExcessHoldsAndLeavesTheRatioUndefined) {
  RateAudit audit(constants());
  (void)audit.add(point(0, start));
  const AuditRow row = audit.add(point(1, 0.0));
  EXPECT_TRUE(row.held);
  EXPECT_TRUE(std::isnan(row.kappa_measured));
  EXPECT_TRUE(std::isfinite(row.bound_integrated));
  RateAudit from_zero(constants());
  EXPECT_TRUE(from_zero.add(point(0, 0.0)).held);
  EXPECT_TRUE(from_zero.add(point(1, 0.0)).held);
  EXPECT_FALSE(from_zero.add(point(2, 1e-3)).held);
}

TEST(RateAudit, NotANumberIsAViolationAndTimeMayNotRunBack) {
  RateAudit audit(constants());
  (void)audit.add(point(5, start));
  EXPECT_THROW((void)audit.add(point(4, start)), Error);
  EXPECT_FALSE(audit.add(point(6, std::numeric_limits<double>::quiet_NaN())).held);
  EXPECT_EQ(audit.first_violation()->kind, Violation::Kind::not_finite);
}

TEST(RateAudit, RestoredAuditGoesOnBitwise) {
  const auto excess = [](std::int64_t i) { return decay(i, (i < 9 ? 3.0 : 0.1) * kappa * lambda); };
  const auto sample = [&](std::int64_t i) {
    return point(i, excess(i), kappa * (1.0 + 0.1 * std::sin(double(i))),
                 lambda * (1.0 + 0.2 * std::cos(double(i))));
  };
  RateAudit straight(constants());
  RateAudit before(constants());
  for (std::int64_t i = 0; i < 13; ++i) {
    (void)straight.add(sample(i));
    (void)before.add(sample(i));
  }
  RateAudit resumed(constants());
  resumed.restore(before.save());
  for (std::int64_t i = 13; i < 30; ++i) {
    const AuditRow a = straight.add(sample(i));
    const AuditRow b = resumed.add(sample(i));
    EXPECT_EQ(a.bound, b.bound);
    EXPECT_EQ(a.bound_integrated, b.bound_integrated);
    EXPECT_EQ(a.tightness, b.tightness);
    EXPECT_EQ(a.held, b.held);
  }
  EXPECT_FALSE(straight.held());
  EXPECT_EQ(straight.save(), resumed.save());
  EXPECT_EQ(straight.verdict(), resumed.verdict());
  EXPECT_NE(RateAudit(constants()).save(), resumed.save());
  EXPECT_THROW(resumed.restore(std::vector<double>{1.0, 2.0}), Error);
  const std::vector<double> whole = straight.save();
  for (const std::size_t place : {std::size_t{0}, std::size_t{1}, whole.size() - 6, whole.size() - 5}) {
    for (const double impossible : {std::nan(""), -1.0, 1e300}) {  // counts, the kind of violation, its step
      std::vector<double> numbers = whole;
      numbers[place] = impossible;
      EXPECT_THROW(resumed.restore(numbers), Error) << place << ": " << impossible;
    }
  }
}

TEST(RateAudit, TheStateOfAnOlderPoiseGoesOnWithoutItsMissingCounts) {
  constexpr std::size_t old_numbers = 15, of_a_violation = 7;
  RateAudit audit(constants());
  for (std::int64_t i = 0; i <= 10; ++i) (void)audit.add(point(i, decay(i, 2.0 * kappa * lambda)));
  const std::vector<double> whole = audit.save();
  std::vector<double> old(whole.begin(), whole.begin() + old_numbers);
  old.insert(old.end(), whole.end() - of_a_violation, whole.end());
  RateAudit restored(constants());
  restored.restore(old);
  EXPECT_EQ(restored.points(), 11);
  EXPECT_EQ(restored.unverified(), 0);
  EXPECT_EQ(restored.smallest_tightness(), audit.smallest_tightness());
  for (std::int64_t i = 11; i <= 20; ++i)
    EXPECT_EQ(restored.add(point(i, decay(i, 2.0 * kappa * lambda))).bound,
              audit.add(point(i, decay(i, 2.0 * kappa * lambda))).bound);
  EXPECT_EQ(restored.outcome(), AuditOutcome::held);
}

TEST(RateAudit, AnErrorFarAboveAVanishingBoundBlamesNoIntegratorThatStatesIt) {
  for (const double error : {1e-3, std::numeric_limits<double>::infinity()}) {
    constexpr double large_lambda = 736.0 / kappa;  // e^-736, the bound at t = 1, is a denormal number
    RateAudit audit(constants());
    (void)audit.add(point(0, start, kappa, large_lambda));
    AuditSample sample = point(1, start * 1e-200, kappa, large_lambda);
    sample.t = 1.0;
    sample.integration_error = error;
    EXPECT_TRUE(audit.add(sample).held);
    EXPECT_EQ(audit.outcome(), AuditOutcome::not_verified);
    const std::string text = audit.verdict();
    EXPECT_EQ(text.find("states no error") != std::string::npos, std::isinf(error)) << text;
    EXPECT_EQ(text.find("inf"), std::string::npos) << text;
  }
}

TEST(RateAudit, AnIntegrationErrorAboveTheBoundVerifiesNothing) {
  // Three runs with the same loss, which falls at a tenth of the guaranteed rate. The measured excess
  // decides, and then the error that the integrator states.
  const auto outcome = [](double error) {
    RateAudit audit(constants());
    for (std::int64_t i = 0; i <= 20; ++i) {
      AuditSample sample = point(i, decay(i, 0.1 * kappa * lambda));
      sample.integration_error = error;
      (void)audit.add(sample);
    }
    return std::pair(audit.outcome(), audit.verdict());
  };
  EXPECT_EQ(outcome(1e-8).first, AuditOutcome::violated);
  const auto [large, text] = outcome(1e3);
  EXPECT_EQ(large, AuditOutcome::not_verified);
  EXPECT_NE(text.find("is not verified"), std::string::npos) << text;
  EXPECT_EQ(outcome(std::numeric_limits<double>::infinity()).first, AuditOutcome::not_verified);
}

TEST(RateAudit, AnIntegratorThatStatesNoErrorVerifiesNothingThoughTheLossFallsFastEnough) {
  for (const bool states_error : {true, false}) {
    RateAudit audit(constants());
    for (std::int64_t i = 0; i <= 20; ++i) {
      AuditSample sample = point(i, decay(i, 2.0 * kappa * lambda));
      if (!states_error && i > 0) sample.integration_error = std::numeric_limits<double>::infinity();
      EXPECT_TRUE(audit.add(sample).held);
    }
    EXPECT_EQ(audit.outcome(), states_error ? AuditOutcome::held : AuditOutcome::not_verified);
    RateAudit restored(constants());
    restored.restore(audit.save());
    EXPECT_EQ(restored.outcome(), audit.outcome());
  }
}

}  // namespace
}  // namespace poise
