#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/theory/trust_region_newton.hpp"
#include "support/given_options.hpp"
#include "unit/theory/newton_model.hpp"

namespace poise {
namespace {

using testing::Dense;
using testing::wanted;
using testing_support::GivenOptions;
using testing_support::OptionList;
using Case = testing::NewtonCase;
using Model = testing::NewtonModel;

TEST(TrustRegionNewtonTest, ErrorsFallWithTheInnerTolerance) {
  constexpr std::array tolerances{1e-4, 1e-8, 1e-12};
  for (const Case& c : {Case{squared_loss(), 16, 1, 60, 0.8}, Case{logistic_loss(), 16, 1, 60, 0.8}}) {
    Model at(c);
    TrustRegionNewtonCheck check = at.check_of(at.dynamics);
    const std::vector<TrustRegionNewton> found = check.measure(0.5, tolerances);
    ASSERT_EQ(found.size(), tolerances.size());
    EXPECT_GT(found[0].direction_error, 1e-8);  // otherwise the error could not fall
    EXPECT_LE(found[1].direction_error, 1e-2 * found[0].direction_error);
    EXPECT_LE(found[2].direction_error, 1e-2 * found[1].direction_error);
    EXPECT_LE(found[1].multiplier_error, 1e-2 * found[0].multiplier_error);
    for (std::size_t k = 1; k < found.size(); ++k)
      EXPECT_GE(found[k].inner_iterations, found[k - 1].inner_iterations);
  }
}

TEST(TrustRegionNewtonTest, AnotherContractionFactorInDIsDetected) {
  for (const Index q : {1, 3}) {
    Model at({squared_loss(), 13, q, 30, 0.8});
    DynamicsMatrix other(at.model.softmax(), 0.4, q);
    other.update(at.model.w());
    TrustRegionNewtonCheck good = at.check_of(at.dynamics);
    TrustRegionNewtonCheck bad = at.check_of(other);
    EXPECT_LE(good.measure().worst_error(), wanted);
    const TrustRegionNewton found = bad.measure();
    EXPECT_GT(found.direction_error, 1e-4);
    EXPECT_GT(found.multiplier_error, 1e-4);
    EXPECT_GT(found.velocity_error, 1e-4);
  }
}

TEST(TrustRegionNewtonTest, WeightsOfAnotherTimeInDAreDetected) {
  Model at({logistic_loss(), 13, 1, 30, 0.8}, 3.0);
  std::vector<double> w(at.model.w(), at.model.w() + at.dynamics.local_size());
  for (double& value : w) value *= 1.1;
  at.dynamics.update(w.data());
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  EXPECT_GT(check.measure().worst_error(), 1e-5);
}

TEST(TrustRegionNewtonTest, DeltaAboveTheLargestIsRefusedByTheMetric) {
  Model at({squared_loss(), 13, 1, 30, 0.8});
  NewtonOperators operators(at.model, *at.loss);
  operators.update();
  NewtonRadiusSolver solver(operators, 5);
  MetricInverse inverse(operators, 1e-13);
  std::vector<double> x = testing::local_block(at.model.softmax(), testing::random_block(13, 1, 1.0, 13));
  const double delta_bar = solver.solve().delta_bar;
  inverse.set(0.99 * delta_bar, 1e-13);
  EXPECT_NO_THROW(inverse.apply(x.data(), x.data()));
  inverse.set(1.01 * delta_bar, 1e-13);
  try {
    inverse.apply(x.data(), x.data());
    FAIL() << "an indefinite metric was inverted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("not positive definite"), std::string::npos) << error.what();
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_TRUE(error.collective());
  }
}

TEST(TrustRegionNewtonTest, TinyGradientsLoseNoDigits) {
  Model at({squared_loss(), 13, 1, 30, 0.8});
  // Targets that the model fits to 1e-11, so the gradient has this size.
  const Dense phi = testing::random_features(13, 30);
  const Dense w = at.w();
  SampleSet& train = at.problem.train;
  const Index first = at.grid.samples(30).begin;
  for (Index i = 0; i < train.count; ++i) {
    double f = 1e-11 * std::sin(static_cast<double>(first + i));
    for (Index k = 0; k < 13; ++k) f += w(k, 0) * phi(k, first + i);
    train.targets[static_cast<std::size_t>(i)] = f;
  }
  ShallowLoss loss(at.layout, at.problem);
  TrustRegionNewtonCheck check(at.model, loss, at.dynamics, 7);
  const TrustRegionNewton found = check.measure();
  EXPECT_LE(found.gradient_norm, 1e-9);
  EXPECT_LE(found.worst_error(), wanted);
}

TEST(TrustRegionNewtonTest, DeltaNearTheLargestStaysAccurate) {
  Model at({logistic_loss(), 16, 1, 60, 0.8});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  EXPECT_LE(check.measure(0.99).worst_error(), wanted);
}

TEST(TrustRegionNewtonTest, GradientThatIsAnEigenvectorIsSolvedToo) {
  // γ = 0 and the squared loss of one feature: G is a multiple of the identity on the gradient.
  Model at({squared_loss(), 5, 1, 1, 0.0});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  const TrustRegionNewton found = check.measure();
  EXPECT_EQ(found.iterations, 1);
  EXPECT_LE(found.worst_error(), wanted);
}

template <class Body>
void expect_bad_input(const std::string& words, Body body) {
  try {
    body();
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(TrustRegionNewtonTest, SharesAndTolerancesOutsideOfTheirRangesAreRefused) {
  Model at({squared_loss(), 5, 1, 10, 0.8});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  for (const double share : {0.0, 1.0, -0.5, 2.0, std::nan("")})
    expect_bad_input("share of the largest delta", [&] { (void)check.measure(share); });
  expect_bad_input("inner tolerance", [&] { (void)check.measure(0.5, std::array{1e-4, 0.0}); });
}

TEST(TrustRegionNewtonTest, OptimalWeightsAreStatedNotDivided) {
  Model at({squared_loss(), 5, 1, 10, 0.8}, 0.0);  // B = 0, so W = 0
  std::fill(at.problem.train.targets.begin(), at.problem.train.targets.end(), 0.0);
  ShallowLoss loss(at.layout, at.problem);
  TrustRegionNewtonCheck check(at.model, loss, at.dynamics, 7);
  expect_bad_input("W is optimal", [&] { (void)check.measure(); });
}

TEST(TrustRegionNewtonTest, EigensolverThatDoesNotConvergeNamesTheCount) {
  Model at({squared_loss(), 13, 1, 30, 0.8});
  const GivenOptions options(
      {{"spec_newton_eps_max_it", "1"}, {"spec_newton_eps_ncv", "3"}, {"spec_newton_eps_tol", "1e-14"}});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  try {
    (void)check.measure();
    FAIL() << "converged in one restart";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("0 pairs converged"), std::string::npos) << error.what();
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_TRUE(error.collective());
  }
}

TEST(TrustRegionNewtonTest, TruncatedTrustRegionSolveIsAnErrorNotANumber) {
  Model at({squared_loss(), 24, 1, 60, 0.8});
  const GivenOptions options(OptionList{{"tr_ksp_cg_gltr_max_lanczos_its", "2"}});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  try {
    (void)check.measure();
    FAIL() << "three vectors were enough";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("KKT residual"), std::string::npos) << error.what();
    EXPECT_EQ(error.code(), ExitCode::failed);
  }
}

TEST(TrustRegionNewtonTest, InnerSolveThatDoesNotConvergeIsAnError) {
  Model at({squared_loss(), 24, 1, 60, 0.8});
  const GivenOptions options(OptionList{{"tr_inner_ksp_max_it", "2"}});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  EXPECT_THROW((void)check.measure(), Error);
}

}  // namespace
}  // namespace poise
