#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/classification_rates.hpp"
#include "poise/theory/rank_reductions.hpp"
#include "unit/theory/classification_problems.hpp"

namespace poise {
namespace {

using testing::Classification;
using testing::Dense;
using testing::Samples;
using testing_support::feature_rank_choices;

/// Smallest curvature of a loss at outputs f; for cross-entropy without the direction of 1.
double curvature_at(const Loss* kind, const std::vector<double>& f) {
  const auto q = static_cast<Index>(f.size());
  std::vector<double> p(f.size());
  kind->linearise(q, 1, f.data(), p.data());
  if (kind == logistic_loss()) return p[0] * (1.0 - p[0]);
  std::vector<double> h(static_cast<std::size_t>(q * q));
  for (Index c = 0; c < q; ++c)
    for (Index b = 0; b < q; ++b) h[c * q + b] = (b == c ? p[c] : 0.0) - p[c] * p[b] + 1.0;  // 1 lifted to q
  return symmetric_eigen(q, h).values.back();
}

TEST(SmallestLossCurvature, IsBelowThatOfEveryOutputOfTheSpread) {
  const CounterRandom random(71, Stream::test_direction);
  struct Case {
    const Loss* kind;
    Index q;
    bool sharp;
  };
  for (const Case& c : {Case{logistic_loss(), 1, true}, Case{cross_entropy_loss(), 2, true},
                        Case{cross_entropy_loss(), 3, false}, Case{cross_entropy_loss(), 6, false}}) {
    for (const double spread : {0.0, 0.3, 2.0, 8.0}) {
      const double bound = c.kind->classification()->smallest_curvature(c.q, spread);
      double smallest = 1.0;
      for (Index trial = 0; trial < 400; ++trial) {
        std::vector<double> f(static_cast<std::size_t>(c.q));
        for (Index k = 0; k < c.q; ++k) {
          // With the corners of the set, where the curvature is smallest.
          const double u = random.uniform(trial, k);
          const double place = trial % 2 == 0 ? u : std::round(u);
          f[k] = c.q == 1 ? (2.0 * place - 1.0) * spread : 7.0 + place * spread;
        }
        smallest = std::min(smallest, curvature_at(c.kind, f));
      }
      EXPECT_GE(smallest, bound * (1.0 - 1e-12) - 1e-15) << c.kind->name() << c.q << " " << spread;
      EXPECT_LE(smallest, bound * (c.sharp || spread == 0.0 ? 1.0 + 1e-12 : 3.0));
    }
  }
}

TEST(SmallestLossCurvature, IsAMistakeForOneOutputOfCrossEntropy) {
  EXPECT_THROW((void)cross_entropy_loss()->classification()->smallest_curvature(1, 1.0), Error);
  EXPECT_GE(logistic_loss()->classification()->smallest_curvature(1, 1e5),
            0.0);  // may underflow, but not to NaN
}

struct Inequality {
  const Loss* loss;
  Index m, q, n;
};

TEST(ClassificationConstants, InequalityHoldsAtRandomWeightsOfTheSet) {
  for (const Inequality& c :
       {Inequality{logistic_loss(), 1, 1, 14}, Inequality{logistic_loss(), 4, 1, 50},
        Inequality{cross_entropy_loss(), 3, 2, 40}, Inequality{cross_entropy_loss(), 4, 4, 60}}) {
    const Samples samples = testing::noisy_samples(c.m, c.n, std::max<Index>(2, c.q), 72);
    for (const int feature_ranks : feature_rank_choices()) {
      Classification problem(feature_ranks, c.loss, samples, c.q);
      const ConvexOptimum optimum = solve_convex_optimum(problem.shallow);
      ClassificationReference reference(problem.shallow, optimum);
      const ClassificationConstants constants(problem.shallow);
      for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const auto w = problem.local(testing::random_block(
            c.m, c.q, std::pow(10.0, 1.0 - 2.0 * static_cast<double>(seed)), 80 + seed));
        const auto at = reference.distance(w.data());
        const double ratio = at.grad_norm2 / at.excess;
        const double radius = std::max(induced_one_norm(problem.layout, w.data()),
                                       induced_one_norm(problem.layout, optimum.w.data()));
        const double box = std::max(largest_entry(problem.layout, w.data()),
                                    largest_entry(problem.layout, optimum.w.data()));
        std::vector<double> spreads;
        raise_output_spreads(problem.shallow, w.data(), spreads);
        raise_output_spreads(problem.shallow, optimum.w.data(), spreads);
        EXPECT_GE(ratio, constants.kappa_ball(radius));
        EXPECT_GE(ratio, constants.kappa_box(box));
        const double kappa_outputs = constants.kappa_outputs(spreads);
        EXPECT_GE(ratio, kappa_outputs);
        EXPECT_GE(kappa_outputs, constants.kappa_ball(radius));
      }
    }
  }
}

TEST(ClassificationConstants, ConstantIsSharpWhereTheCurvatureIsSmallest) {
  // One feature that is 1 and balanced labels: W* = 0, L₀(w) is even. Near W* the ratio is 2ρ(0)σ², the
  // constant.
  Samples samples{Dense(1, 4), {0, 1, 0, 1}};
  for (Index i = 0; i < 4; ++i) samples.features(0, i) = 1.0;
  Classification problem(1, logistic_loss(), samples, 1);
  const ConvexOptimum optimum = solve_convex_optimum(problem.shallow);
  ClassificationReference reference(problem.shallow, optimum);
  const ClassificationConstants constants(problem.shallow);
  EXPECT_NEAR(optimum.loss, std::log(2.0), 1e-15);
  for (const double w : {0.01, 0.1, 1.0}) {
    const auto at = reference.distance(problem
                                           .local([&] {
                                             Dense whole(1, 1);
                                             whole(0, 0) = w;
                                             return whole;
                                           }())
                                           .data());
    const double kappa = constants.kappa_ball(w);
    EXPECT_NEAR(kappa, 1.0 / (1.0 + std::cosh(w)), 1e-13);  // 2 ρ(w), σ² = n, s = 1/n
    EXPECT_GE(at.grad_norm2, kappa * at.excess);
    EXPECT_LT(at.grad_norm2, (1.0 + w * w) * kappa * at.excess);  // a larger constant would be false
  }
}

TEST(ClassificationConstants, InequalityHoldsForTheOptimumOfABoxOfSeparableData) {
  const Samples samples = testing::noisy_samples(6, 6, 3, 73);
  Classification problem(1, cross_entropy_loss(), samples, 3);
  const ClassificationConstants constants(problem.shallow);
  const ConvexOptimum optimum = solve_convex_optimum(problem.shallow, {1e-12, 0.5});
  ClassificationReference reference(problem.shallow, optimum);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    Dense whole = testing::random_block(6, 3, 1.0, 90 + seed);
    for (double& entry : whole.values) entry = std::clamp(entry, -0.5, 0.5);
    const auto w = problem.local(whole);
    const auto at = reference.distance(w.data());
    std::vector<double> gradient(w.size());
    const double loss = problem.shallow.value_and_gradient(w.data(), gradient.data()).loss;
    EXPECT_NEAR(at.excess, loss - optimum.loss, 1e-11);
    EXPECT_GT(at.excess, 0.0);
    EXPECT_GE(at.grad_norm2, constants.kappa_box(0.5) * at.excess);
    std::vector<double> spreads;
    raise_output_spreads(problem.shallow, w.data(), spreads);
    raise_output_spreads(problem.shallow, optimum.w.data(), spreads);
    EXPECT_GE(at.grad_norm2, constants.kappa_outputs(spreads) * at.excess);
  }
}

TEST(ClassificationConstants, FeaturesOfDeficientRankAreRefusedByName) {
  const Samples samples = testing::noisy_samples(6, 4, 2, 74);  // fewer samples than features
  for (const int feature_ranks : feature_rank_choices()) {
    Classification problem(feature_ranks, logistic_loss(), samples, 1);
    const ClassificationConstants constants(problem.shallow);
    EXPECT_EQ(constants.rank(), 4);
    const auto refused = [](const auto& ask) {
      try {
        (void)ask();
      } catch (const Error& error) {
        return error.code() == ExitCode::bad_input &&
               std::string(error.what()).find("rank 4, not their number 6") != std::string::npos;
      }
      return false;
    };
    EXPECT_TRUE(refused([&] { return constants.kappa_ball(1.0); }));
    EXPECT_TRUE(refused([&] { return constants.kappa_box(1.0); }));
    const std::vector<double> spreads(static_cast<std::size_t>(problem.problem.train.count), 1.0);
    EXPECT_TRUE(refused([&] { return constants.kappa_outputs(spreads); }));
  }
}

TEST(ClassificationConstants, NormsAndSpreadsAreThoseOfTheWholeMatrix) {
  const Samples samples = testing::noisy_samples(5, 12, 3, 75);
  const Dense w = testing::random_block(5, 3, 1.0, 76);  // Wᵀ
  double one = 0.0, largest = 0.0;
  for (Index k = 0; k < 5; ++k) {
    double sum = 0.0;
    for (Index c = 0; c < 3; ++c) {
      sum += std::abs(w(k, c));
      largest = std::max(largest, std::abs(w(k, c)));
    }
    one = std::max(one, sum);
  }
  for (const int feature_ranks : feature_rank_choices()) {
    Classification problem(feature_ranks, cross_entropy_loss(), samples, 3);
    const auto local = problem.local(w);
    EXPECT_DOUBLE_EQ(induced_one_norm(problem.layout, local.data()), one);
    EXPECT_DOUBLE_EQ(largest_entry(problem.layout, local.data()), largest);
    std::vector<double> spreads;
    raise_output_spreads(problem.shallow, local.data(), spreads);
    const Range mine = problem.grid.samples(12);
    ASSERT_EQ(static_cast<Index>(spreads.size()), mine.size());
    for (Index i = mine.begin; i < mine.end; ++i) {
      double low = 1e300, high = -1e300;
      for (Index c = 0; c < 3; ++c) {
        double f = 0.0;
        for (Index k = 0; k < 5; ++k) f += w(k, c) * samples.features(k, i);
        low = std::min(low, f);
        high = std::max(high, f);
      }
      EXPECT_NEAR(spreads[i - mine.begin], high - low, 1e-13);
    }
  }
}

}  // namespace
}  // namespace poise
