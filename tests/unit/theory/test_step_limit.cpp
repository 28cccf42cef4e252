#include <gtest/gtest.h>

#include "poise/base/error.hpp"
#include "poise/theory/step_limit.hpp"
#include "support/given_options.hpp"
#include "unit/theory/dense_curvature.hpp"

namespace poise {
namespace {

using namespace testing_support;

struct Case {
  const Loss* loss;
  Index m, q, n;
  double gamma;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.loss->name() << " m " << c.m << " q " << c.q << " n " << c.n << " gamma " << c.gamma;
}

struct Measured {
  Measured(const Case& c, int feature_ranks)
      : grid(MPI_COMM_WORLD, feature_ranks),
        layout(grid, c.m, c.q),
        problem(random_problem(layout, c.loss, c.n)),
        model(layout, c.gamma),
        loss(layout, problem),
        dynamics(model.softmax(), c.gamma, c.q),
        solver(model, loss, dynamics),
        theta(layout.create()) {
    layout.initialise(theta.get(), 2, 1.0, 1.0);
    (void)model.set_parameters(theta.get());
    dynamics.update(model.w());
  }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  CollapsedModel model;
  ShallowLoss loss;
  DynamicsMatrix dynamics;
  StepLimitSolver solver;
  VecHandle theta;
};

class StepLimits : public ::testing::TestWithParam<Case> {};

/// The eigensolver's residual is 1e-9 of the value, which bounds the distance to an eigenvalue; a hundred
/// times that, because eigenvalues nearer to each other than the residual need not be told apart.
constexpr double tolerance = 1e-7;

TEST_P(StepLimits, AreThoseOfTheExplicitMatricesOnEveryGrid) {
  const Case& c = GetParam();
  for (const int feature_ranks : feature_rank_choices()) {
    Measured run(c, feature_ranks);
    const StepLimit limit = run.solver.measure();
    const testing::Dense w = testing::whole_block(run.model.softmax(), c.q, run.model.w());
    const testing::Dense d =
        testing::explicit_dynamics(testing::whole_softmax(run.model.softmax()), w, c.gamma);
    const testing::Dense phi = testing::random_features(c.m, c.n);
    const double scale = 1.0 / static_cast<double>(c.n);
    const double lambda_max = testing::spectrum(d).back();
    const double curvature = testing::curvatures(d, testing::explicit_hessian(c.loss, phi, w, scale)).back();
    // The curvature of the squared loss is 2ΦΦᵀ, for every W.
    const double sigma2 =
        testing::spectrum(testing::explicit_hessian(squared_loss(), phi, w, 1.0)).back() / 2.0;
    const double smoothness = scale * c.loss->largest_curvature() * sigma2;
    EXPECT_NEAR(limit.lambda_max, lambda_max, tolerance * lambda_max);
    EXPECT_NEAR(limit.curvature, curvature, tolerance * curvature);
    EXPECT_NEAR(limit.smoothness, smoothness, tolerance * smoothness);
    EXPECT_NEAR(limit.guaranteed, 2.0 / (smoothness * lambda_max), 2.0 * tolerance * limit.guaranteed);
    EXPECT_NEAR(limit.local, 2.0 / curvature, tolerance * limit.local);
    EXPECT_GE(limit.local, (1.0 - tolerance) * limit.guaranteed);
    EXPECT_LE(limit.lambda.residual, tolerance * lambda_max);
    EXPECT_LE(limit.stiffest.residual, tolerance * curvature);
  }
}

TEST_P(StepLimits, DoNotDependOnWhatWasMeasuredBefore) {
  Measured run(GetParam(), 1);
  const StepLimit first = run.solver.measure();
  const StepLimit second = run.solver.measure();
  EXPECT_EQ(first.lambda_max, second.lambda_max);
  EXPECT_EQ(first.curvature, second.curvature);
}

// Widths 1 and 3 leave ranks without rows when there are four of them; n < m makes H singular.
INSTANTIATE_TEST_SUITE_P(
    Sizes, StepLimits,
    ::testing::Values(Case{squared_loss(), 1, 1, 5, 0.5}, Case{squared_loss(), 3, 4, 20, 0.9},
                      Case{squared_loss(), 9, 2, 4, 0.8}, Case{squared_loss(), 12, 3, 40, 0.99},
                      Case{logistic_loss(), 7, 1, 30, 0.8}, Case{cross_entropy_loss(), 3, 3, 25, 0.5},
                      Case{cross_entropy_loss(), 8, 4, 30, 0.9}));

TEST(StepLimitFactor, IsThatOfTheDescentLemma) {
  StepLimit limit;
  limit.lambda_max = 3.0;
  limit.smoothness = 5.0;
  limit.guaranteed = 2.0 / 15.0;
  EXPECT_DOUBLE_EQ(limit.factor(0.1, 2.0, 0.5), 1.0 - 0.1 * 2.0 * 0.5 * (1.0 - 0.5 * 0.1 * 5.0 * 3.0));
  EXPECT_DOUBLE_EQ(limit.factor(limit.guaranteed, 2.0, 0.5), 1.0);
}

TEST(StepLimitErrors, AnEigensolverThatDoesNotConvergeThrowsAndNamesTheCount) {
  for (const std::string prefix : {"limit_features_", "limit_lambda_", "limit_curvature_"}) {
    const GivenOptions options(
        {{prefix + "eps_max_it", "1"}, {prefix + "eps_ncv", "3"}, {prefix + "eps_tol", "1e-14"}});
    Measured run({squared_loss(), 12, 3, 40, 0.9}, 1);
    try {
      (void)run.solver.measure();
      ADD_FAILURE() << prefix << " converged in one restart";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("0 of 1 converged"), std::string::npos) << text;
      EXPECT_NE(text.find("-" + prefix + "eps_max_it"), std::string::npos) << text;
      EXPECT_TRUE(error.collective());
    }
  }
}

}  // namespace
}  // namespace poise
