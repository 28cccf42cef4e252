#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/classification_rates.hpp"
#include "poise/theory/convex_optimum.hpp"
#include "poise/theory/optimum_certificate.hpp"
#include "poise/theory/rank_reductions.hpp"
#include "support/given_options.hpp"
#include "unit/theory/classification_problems.hpp"

namespace poise {
namespace {

using testing::Classification;
using testing::Dense;
using testing::DenseLoss;
using testing::Samples;
using testing_support::feature_rank_choices;

constexpr double epsilon = std::numeric_limits<double>::epsilon();

struct Kind {
  const Loss* loss;
  Index m, q, n;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.loss->name() << " m " << kind.m << " q " << kind.q;
}

class NoisyClasses : public ::testing::TestWithParam<Kind> {
 protected:
  NoisyClasses()
      : kind(GetParam()),
        samples(testing::noisy_samples(kind.m, kind.n, std::max<Index>(2, kind.q), 61)),
        dense{samples, kind.q} {}
  Kind kind;
  Samples samples;
  DenseLoss dense;
};

TEST_P(NoisyClasses, OptimumIsThatOfADenseNewtonIterationOnEveryGrid) {
  const auto expected = testing::dense_optimum(dense);
  ASSERT_LT(static_cast<double>(expected.decrement2), 1e-30);
  for (const int feature_ranks : feature_rank_choices()) {
    Classification problem(feature_ranks, kind.loss, samples, kind.q);
    const ConvexOptimum found = solve_convex_optimum(problem.shallow);
    EXPECT_TRUE(found.attained);
    EXPECT_LE(found.error_bound, 1e-12);
    EXPECT_NEAR(found.loss, static_cast<double>(expected.loss), found.error_bound + found.loss_rounding);
    const Dense w = problem.whole(found.w);
    // For both, the optimum with zero sums over the classes.
    for (std::size_t e = 0; e < w.values.size(); ++e)
      EXPECT_NEAR(w.values[e], static_cast<double>(expected.w[e]), 1e-9 * found.norm);
    EXPECT_NE(found.statement().find("proved to"), std::string::npos);
  }
}

TEST_P(NoisyClasses, ErrorBoundHoldsAndIsNotMuchTooLargeAtAnyDistance) {
  const auto expected = testing::dense_optimum(dense);
  Classification problem(1, kind.loss, samples, kind.q);
  OptimumCertifier certifier(problem.shallow);
  Dense w(kind.m, kind.q);
  const Dense step = testing::random_block(kind.m, kind.q, 1.0, 62);
  int proved = 0;
  for (const double distance : {1e-1, 1e-2, 1e-3, 1e-4}) {
    std::vector<testing::Real> at = expected.w;
    for (std::size_t e = 0; e < at.size(); ++e) {
      w.values[e] = static_cast<double>(at[e]) + distance * step.values[e];
      at[e] = w.values[e];
    }
    const auto local = problem.local(w);
    std::vector<double> gradient(local.size());
    (void)problem.shallow.value_and_gradient(local.data(), gradient.data());
    const OptimumCertificate proof = certifier.certify(local.data(), gradient.data());
    if (!proof.proved()) continue;
    ++proved;
    const auto excess = static_cast<double>(dense.evaluate(at, nullptr, nullptr) - expected.loss);
    EXPECT_GE(proof.error_bound, excess);
    if (kind.loss == logistic_loss()) {  // GᵀH⁻¹G exactly: twice the excess, to first order
      EXPECT_LE(proof.error_bound, excess * (2.0 + 10.0 * distance));
    }
  }
  EXPECT_GE(proved, 2);
}

TEST_P(NoisyClasses, ExcessAndGradientNearTheOptimumLoseNoDigits) {
  const auto expected = testing::dense_optimum(dense);
  Classification problem(1, kind.loss, samples, kind.q);
  const ConvexOptimum optimum = solve_convex_optimum(problem.shallow);
  ClassificationReference reference(problem.shallow, optimum);
  const Dense centre = problem.whole(optimum.w);
  const Dense step = testing::random_block(kind.m, kind.q, 1.0, 63);
  for (const double distance : {30.0, 1.0, 1e-3, 1e-6, 1e-8}) {
    std::vector<testing::Real> at(centre.values.size());
    Dense w = centre;
    for (std::size_t e = 0; e < at.size(); ++e) at[e] = w.values[e] += distance * step.values[e];
    std::vector<testing::Real> gradient;
    const auto excess = static_cast<double>(dense.evaluate(at, &gradient, nullptr) - expected.loss);
    testing::Real norm2 = 0.0L;
    for (const auto entry : gradient) norm2 += entry * entry;
    const auto found = reference.distance(problem.local(w).data());
    // Long double leaves 1e-19 of the loss in the difference that it is compared with.
    const double share = 1e-11 + 1e-18 / excess;
    EXPECT_NEAR(found.excess, excess, share * excess + found.uncertainty + optimum.error_bound) << distance;
    // The result states the error that follows from its gradient.
    const double left = optimum.gradient_norm + optimum.gradient_rounding;
    const auto length = static_cast<double>(std::sqrt(norm2));
    EXPECT_NEAR(std::sqrt(found.grad_norm2), length, left + 1e-11 * length) << distance;
    EXPECT_LT(left, 1e-10);
    if (distance >= 1e-6) {
      EXPECT_LT(found.uncertainty, 1e-4 * excess);
    }
  }
}

TEST_P(NoisyClasses, OptimumOfABoxFulfilsItsOptimalityConditions) {
  for (const int feature_ranks : feature_rank_choices()) {
    Classification problem(feature_ranks, kind.loss, samples, kind.q);
    const ConvexOptimum free = solve_convex_optimum(problem.shallow);
    const double r = 0.5 * largest_entry(problem.layout, free.w.data());
    const ConvexOptimum found = solve_convex_optimum(problem.shallow, {1e-12, r});
    EXPECT_TRUE(found.attained);
    EXPECT_GT(found.loss, free.loss);
    EXPECT_LE(found.error_bound, 1e-12);
    std::vector<double> gradient(found.w.size());
    (void)problem.shallow.value_and_gradient(found.w.data(), gradient.data());
    for (std::size_t e = 0; e < gradient.size(); ++e) {
      EXPECT_LE(std::abs(found.w[e]), r);
      if (std::abs(found.w[e]) < r) {
        EXPECT_NEAR(gradient[e], 0.0, 1e-8);
        EXPECT_EQ(found.multiplier[e], 0.0);
      } else {
        EXPECT_LE(found.multiplier[e] * found.w[e], 0.0);
      }
      EXPECT_NEAR(gradient[e], found.multiplier[e], 1e-8);
    }
    // Convexity: L(W') >= L(W) + <G, W' − W> for the best W' of the box, to first order.
    double gap = 0.0;
    for (std::size_t e = 0; e < gradient.size(); ++e)
      gap += gradient[e] * found.w[e] + r * std::abs(gradient[e]);
    MPI_Allreduce(MPI_IN_PLACE, &gap, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_LE(gap, 1e-7);
  }
}

TEST_P(NoisyClasses, ABoxThatHoldsTheOptimumChangesNothing) {
  Classification problem(1, kind.loss, samples, kind.q);
  const ConvexOptimum free = solve_convex_optimum(problem.shallow);
  const double r = 1.5 * largest_entry(problem.layout, free.w.data());
  const ConvexOptimum found = solve_convex_optimum(problem.shallow, {1e-12, r});
  EXPECT_NEAR(found.loss, free.loss, found.error_bound + free.error_bound + 2.0 * free.loss_rounding);
}

INSTANTIATE_TEST_SUITE_P(Losses, NoisyClasses,
                         ::testing::Values(Kind{logistic_loss(), 1, 1, 12}, Kind{logistic_loss(), 5, 1, 60},
                                           Kind{cross_entropy_loss(), 3, 2, 40},
                                           Kind{cross_entropy_loss(), 5, 3, 60},
                                           Kind{cross_entropy_loss(), 2, 5, 50}));

TEST(ConvexOptimum, SeparableDataAreRecognisedAndTheirMarginIsOne) {
  for (const Kind& kind : {Kind{logistic_loss(), 8, 1, 6}, Kind{cross_entropy_loss(), 8, 3, 7}}) {
    // More features than samples: everything is separable.
    const Samples samples = testing::noisy_samples(kind.m, kind.n, std::max<Index>(2, kind.q), 64);
    for (const int feature_ranks : feature_rank_choices()) {
      Classification problem(feature_ranks, kind.loss, samples, kind.q);
      const ConvexOptimum found = solve_convex_optimum(problem.shallow);
      EXPECT_FALSE(found.attained);
      EXPECT_EQ(found.loss, 0.0);
      EXPECT_GT(found.margin, 0.0);
      EXPECT_NEAR(found.margin * found.norm, smallest_margin(problem.shallow, found.w.data()),
                  1e-12 * found.norm);
      EXPECT_NE(found.statement().find("separable"), std::string::npos);
      std::vector<double> far = found.w;  // the proof itself: the loss goes to 0 along W
      for (double& entry : far) entry *= 50.0 / (found.margin * found.norm);
      std::vector<double> gradient(far.size());
      EXPECT_LT(problem.shallow.value_and_gradient(far.data(), gradient.data()).loss, 1e-15);
      const ConvexOptimum boxed = solve_convex_optimum(problem.shallow, {1e-12, 1.0});
      EXPECT_TRUE(boxed.attained);
      EXPECT_GT(boxed.loss, 0.0);
    }
  }
}

TEST(ConvexOptimum, DataThatAreSeparableInPartGetNoNumber) {
  // Feature 2 is 1 for two samples of class 1 alone, which it sends to a loss of 0; the others are not
  // separable.
  Samples samples{Dense(2, 6), {0, 1, 0, 1, 1, 1}};
  const double first[6] = {1.0, 1.0, -1.0, -1.0, 0.5, 0.25};
  for (Index i = 0; i < 6; ++i) {
    samples.features(0, i) = first[i];
    samples.features(1, i) = i >= 4 ? 1.0 : 0.0;
  }
  for (const Loss* loss : {logistic_loss(), cross_entropy_loss()}) {
    Classification problem(1, loss, samples, loss == logistic_loss() ? 1 : 2);
    try {
      const ConvexOptimum found = solve_convex_optimum(problem.shallow);
      ADD_FAILURE() << found.statement();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::failed);
      const std::string text = error.what();
      EXPECT_NE(text.find("separable in part"), std::string::npos) << text;
      const auto place = text.find("at most ");
      ASSERT_NE(place, std::string::npos) << text;
      // Four of six samples remain; the features say nothing about their labels.
      const double infimum = std::log(2.0) * 4.0 / 6.0;
      EXPECT_NEAR(std::stod(text.substr(place + 8)), infimum, 1e-9);
    }
    const ConvexOptimum boxed = solve_convex_optimum(problem.shallow, {1e-12, 2.0});
    EXPECT_LE(boxed.error_bound, 1e-12);
  }
}

TEST(ConvexOptimum, FeaturesOfDeficientRankStillHaveACertifiedOptimum) {
  Samples full = testing::noisy_samples(3, 60, 3, 65);
  Samples doubled{Dense(4, 60), full.labels};  // feature 3 is feature 0 plus feature 1
  for (Index i = 0; i < 60; ++i) {
    for (Index k = 0; k < 3; ++k) doubled.features(k, i) = full.features(k, i);
    doubled.features(3, i) = full.features(0, i) + full.features(1, i);
  }
  const auto expected = testing::dense_optimum({full, 3});
  for (const int feature_ranks : feature_rank_choices()) {
    Classification problem(feature_ranks, cross_entropy_loss(), doubled, 3);
    const ConvexOptimum found = solve_convex_optimum(problem.shallow);
    EXPECT_NEAR(found.loss, static_cast<double>(expected.loss), found.error_bound + found.loss_rounding);
  }
}

TEST(ConvexOptimum, SumScaleMultipliesTheOptimumByTheSamples) {
  const Samples samples = testing::noisy_samples(4, 50, 3, 66);
  Classification mean(1, cross_entropy_loss(), samples, 3);
  const ConvexOptimum a = solve_convex_optimum(mean.shallow);
  Classification sum(1, cross_entropy_loss(), samples, 3);
  sum.problem.mean = false;
  const ConvexOptimum b = solve_convex_optimum(sum.shallow);
  EXPECT_NEAR(b.loss, 50.0 * a.loss, b.error_bound + 50.0 * a.error_bound + 100.0 * a.loss_rounding);
  EXPECT_LE(b.error_bound, 50.0e-12);
}

TEST(ConvexOptimum, AnEndBeforeTheProofIsAFailureThatNamesWhatWasReached) {
  const Samples samples = testing::noisy_samples(4, 50, 3, 67);
  Classification problem(1, cross_entropy_loss(), samples, 3);
  const testing_support::GivenOptions options(testing_support::OptionList{{"optimum_tao_max_it", "1"}});
  try {
    (void)solve_convex_optimum(problem.shallow);
    ADD_FAILURE() << "one iteration is not enough";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("MAXITS"), std::string::npos) << error.what();
  }
}

TEST(ConvexOptimum, LossesWithoutSuchAnOptimumAreBadInput) {
  const Samples samples = testing::noisy_samples(3, 20, 2, 68);
  const auto code_of = [&](const Loss* loss, Index q, double box) {
    Classification problem(1, loss, samples, q);
    try {
      (void)solve_convex_optimum(problem.shallow, {1e-12, box});
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::done;
  };
  const double all = std::numeric_limits<double>::infinity();
  EXPECT_EQ(code_of(squared_loss(), 1, all), ExitCode::bad_input);
  EXPECT_EQ(code_of(cross_entropy_loss(), 1, all), ExitCode::bad_input);
  EXPECT_EQ(code_of(logistic_loss(), 1, 0.0), ExitCode::bad_input);
  EXPECT_EQ(code_of(logistic_loss(), 1, std::nan("")), ExitCode::bad_input);
  EXPECT_EQ(code_of(logistic_loss(), 1, all), ExitCode::done);
  const testing_support::GivenOptions unbounded(testing_support::OptionList{{"optimum_tao_type", "nls"}});
  EXPECT_EQ(code_of(logistic_loss(), 1, all), ExitCode::done);
  EXPECT_EQ(code_of(logistic_loss(), 1, 1e-3), ExitCode::failed);  // this type of TAO takes no bounds
}

TEST(BregmanDivergence, IsTheKullbackLeiblerDivergenceOfTheProbabilities) {
  for (const double size : {1e-9, 1e-3, 1.0, 40.0, 300.0}) {
    const double p[3] = {0.2, 0.7, 0.1};
    const double scores[3] = {0.3 * size, -1.0 * size, 0.9 * size};
    double d[3] = {scores[0], scores[1], scores[2]};
    long double total = 0.0L, mean = 0.0L, top = 0.9L * size;
    for (int c = 0; c < 3; ++c) {
      total += static_cast<long double>(p[c]) * std::exp(scores[c] - top);
      mean += static_cast<long double>(p[c]) * scores[c];
    }
    long double expected = std::log(total) + top - mean;
    if (size < 1e-2) {  // second order and third: half the variance, a sixth of the third moment
      long double second = 0.0L, third = 0.0L;
      for (int c = 0; c < 3; ++c) {
        const long double x = scores[c] - mean;
        second += p[c] * x * x;
        third += p[c] * x * x * x;
      }
      expected = second / 2.0L + third / 6.0L;
    }
    const double found = softmax_divergence(3, p, d);
    const double neglected = size < 1e-2 ? size * size : 0.0;  // fourth order
    EXPECT_NEAR(found, static_cast<double>(expected), (64.0 * epsilon + neglected) * found) << size;
    EXPECT_NEAR(d[0] + d[1] + d[2], 0.0, 8.0 * epsilon * (1.0 + size) * std::abs(d[1]));  // of e^size
  }
}

}  // namespace
}  // namespace poise
