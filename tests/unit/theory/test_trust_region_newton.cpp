#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "poise/base/error.hpp"
#include "poise/theory/trust_region_newton.hpp"
#include "support/given_options.hpp"
#include "unit/theory/dense_newton.hpp"

namespace poise {
namespace {

using namespace testing_support;
using testing::Dense;

/// What the task asks of every error. The solves with U leave 1e-13 times its condition number, (1 + γ)/(1 −
/// γ) = 9 at γ = 0.8, and the shift of the trust region multiplies it by 2/(1 − share).
constexpr double wanted = 1e-8;

struct Case {
  LossKind loss;
  Index m, q, n;
  double gamma;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << to_string(c.loss) << " m " << c.m << " q " << c.q << " n " << c.n << " gamma " << c.gamma;
}

/// A model at random parameters, with all that the check needs.
struct Model {
  explicit Model(const Case& c, double scale_b = 1.0)
      : grid(MPI_COMM_WORLD),
        layout(grid, c.m, c.q),
        problem(random_problem(layout, c.loss, c.n)),
        model(layout, c.gamma),
        theta(layout.create()),
        dynamics(model.softmax(), c.gamma, c.q) {
    layout.initialise(theta.get(), 3, 1.0, scale_b);
    (void)model.set_parameters(theta.get());
    dynamics.update(model.w());
    loss = std::make_unique<ShallowLoss>(layout, problem);
  }
  [[nodiscard]] Dense softmax() const {
    Dense s(layout.width(), layout.width());
    for (Index i = 0; i < layout.slice().size(); ++i)
      for (Index j = 0; j < layout.width(); ++j)
        s(layout.slice().begin + i, j) = model.softmax().rows()[i * layout.width() + j];
    MPI_Allreduce(MPI_IN_PLACE, s.values.data(), static_cast<int>(s.values.size()), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    return s;
  }
  [[nodiscard]] Dense w() const { return testing::whole_block(model.softmax(), layout.outputs(), model.w()); }
  [[nodiscard]] TrustRegionNewtonCheck check_of(const DynamicsMatrix& d) { return {model, *loss, d, 7}; }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  CollapsedModel model;
  VecHandle theta;
  DynamicsMatrix dynamics;
  std::unique_ptr<ShallowLoss> loss;
};

double norm(const std::vector<double>& x) {
  double square = 0.0;
  for (const double value : x) square += value * value;
  return std::sqrt(square);
}

/// ‖x − y‖ / ‖y‖
double distance(std::vector<double> x, const std::vector<double>& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= y[i];
  return norm(x) / norm(y);
}

class Newton : public ::testing::TestWithParam<Case> {
 protected:
  Newton()
      : p(GetParam()),
        at(p),
        dense(p.loss, testing::features_of_random_problem(p.m, p.n), at.softmax(), at.w(), p.gamma),
        operators(at.model, *at.loss) {
    operators.update();
  }
  [[nodiscard]] std::vector<double> whole(const double* local) const {
    return testing::whole_block(at.model.softmax(), p.q, local).values;
  }
  [[nodiscard]] std::vector<double> gradient() {
    std::vector<double> g(static_cast<std::size_t>(operators.local_size()));
    (void)at.loss->value_and_gradient(at.model.w(), g.data());
    return g;
  }
  Case p;
  Model at;
  testing::DenseNewton dense;
  NewtonOperators operators;
};

TEST_P(Newton, LargestDeltaIsThatOfTheDenseProblem) {
  NewtonRadiusSolver solver(operators, 5);
  const NewtonRadius found = solver.solve();
  EXPECT_NEAR(found.delta_bar, dense.delta_bar, 1e-10 * dense.delta_bar);
  EXPECT_LE(found.residual, 1e-7);
  EXPECT_GT(found.products, 0);
}

TEST_P(Newton, MetricAndItsInverseAreTheDenseOnes) {
  const double delta = 0.7 * dense.delta_bar;
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  const std::vector<double> x = testing::local_block(at.model.softmax(), v);
  std::vector<double> y(x.size());
  operators.apply_metric(delta, x.data(), y.data());
  const Dense metric = dense.metric(delta);
  EXPECT_LE(distance(whole(y.data()), testing::times(metric, v.values)), 1e-10);
  MetricInverse solver(operators, 1e-13);
  solver.set(delta, 1e-13);
  solver.apply(x.data(), y.data());
  EXPECT_LE(distance(testing::times(metric, whole(y.data())), v.values), 1e-10);
}

TEST_P(Newton, FlowSolvesTheKktEquationsOfTheDenseMatrices) {
  const double delta = 0.5 * dense.delta_bar;
  const std::vector<double> g = whole(gradient().data());
  std::vector<double> v = testing::times(dense.dynamics, g);
  for (double& value : v) value *= -delta;
  std::vector<double> left = testing::times(dense.hessian, v);
  const std::vector<double> right = testing::times(dense.metric(delta), v);
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = -left[i] - right[i] / delta;
  EXPECT_LE(distance(left, g), 1e-10);
}

TEST_P(Newton, TrustRegionSolverFindsTheDenseSolutionWithoutD) {
  for (const double share : {0.1, 0.5, 0.9}) {
    const double delta = share * dense.delta_bar;
    std::vector<double> g = gradient();
    const double size = norm(whole(g.data()));
    for (double& value : g) value /= size;
    const Dense metric = dense.metric(delta);
    Dense kkt = dense.hessian;  // H + G/δ, solved with for v: D is not used
    for (std::size_t e = 0; e < kkt.values.size(); ++e) kkt.values[e] += metric.values[e] / delta;
    std::vector<double> v = testing::times(testing::inverse(kkt), whole(g.data()));
    for (double& value : v) value = -value / delta;
    double radius = 0.0;
    const std::vector<double> image = testing::times(metric, v);
    for (std::size_t i = 0; i < v.size(); ++i) radius += v[i] * image[i];

    const VecHandle gradient = create_vec(operators.comm(), operators.local_size());
    {
      WriteArray values(gradient.get());
      std::copy(g.begin(), g.end(), values.data());
    }
    MetricInverse inverse(operators, 1e-13);
    inverse.set(delta, 1e-13);
    TrustRegionSolver solver(operators, inverse);
    const TrustRegionStep step = solver.solve({delta, share, gradient.get(), std::sqrt(radius)}, 1e-9);
    const ReadArray direction(step.direction.get());
    EXPECT_LE(distance(whole(direction.data()), v), wanted) << "share " << share;
    EXPECT_NEAR(step.multiplier, 1.0, wanted) << "share " << share;
  }
}

TEST_P(Newton, FlowIsATrustRegionNewtonStep) {
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  for (const double share : {0.1, 0.5, 0.9}) {
    const TrustRegionNewton found = check.measure(share);
    EXPECT_LE(found.direction_error, wanted);
    EXPECT_LE(found.radius_error, wanted);
    EXPECT_LE(found.multiplier_error, wanted);
    EXPECT_LE(found.velocity_error, wanted);
    EXPECT_LE(found.worst_error(), wanted);
    EXPECT_EQ(found.proven, p.q == 1);
    EXPECT_DOUBLE_EQ(found.delta, share * found.delta_bar);
  }
}

// n < m leaves H singular, m = 1 a Krylov space of one dimension.
INSTANTIATE_TEST_SUITE_P(
    Sizes, Newton,
    ::testing::Values(Case{LossKind::squared, 1, 1, 5, 0.8}, Case{LossKind::squared, 2, 1, 5, 0.8},
                      Case{LossKind::squared, 13, 1, 30, 0.8}, Case{LossKind::squared, 13, 1, 4, 0.5},
                      Case{LossKind::squared, 20, 1, 60, 0.99}, Case{LossKind::logistic, 1, 1, 9, 0.8},
                      Case{LossKind::logistic, 13, 1, 30, 0.8}, Case{LossKind::logistic, 9, 1, 3, 0.9},
                      Case{LossKind::squared, 6, 3, 20, 0.8}, Case{LossKind::squared, 9, 3, 4, 0.8},
                      Case{LossKind::cross_entropy, 6, 3, 20, 0.8},
                      Case{LossKind::cross_entropy, 9, 3, 4, 0.8}));

TEST(TrustRegionNewtonTest, ErrorsFallWithTheInnerTolerance) {
  constexpr std::array tolerances{1e-4, 1e-6, 1e-8, 1e-10, 1e-12};
  for (const Case& c : {Case{LossKind::squared, 24, 1, 60, 0.8}, Case{LossKind::logistic, 24, 1, 60, 0.8}}) {
    Model at(c);
    TrustRegionNewtonCheck check = at.check_of(at.dynamics);
    const std::vector<TrustRegionNewton> found = check.measure(0.5, tolerances);
    ASSERT_EQ(found.size(), tolerances.size());
    EXPECT_GT(found[0].direction_error, 1e-8);  // else nothing could fall
    EXPECT_LE(found[2].direction_error, 1e-2 * found[0].direction_error);
    EXPECT_LE(found[4].direction_error, 1e-2 * found[2].direction_error);
    EXPECT_LE(found[2].multiplier_error, 1e-2 * found[0].multiplier_error);
    for (std::size_t k = 1; k < found.size(); ++k)
      EXPECT_GE(found[k].inner_iterations, found[k - 1].inner_iterations);
  }
}

TEST(TrustRegionNewtonTest, AnotherContractionFactorInDIsDetected) {
  for (const Index q : {1, 3}) {
    Model at({LossKind::squared, 13, q, 30, 0.8});
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
  Model at({LossKind::logistic, 13, 1, 30, 0.8}, 3.0);
  std::vector<double> w(at.model.w(), at.model.w() + at.dynamics.local_size());
  for (double& value : w) value *= 1.1;
  at.dynamics.update(w.data());
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  EXPECT_GT(check.measure().worst_error(), 1e-5);
}

TEST(TrustRegionNewtonTest, DeltaAboveTheLargestIsRefusedByTheMetric) {
  Model at({LossKind::squared, 13, 1, 30, 0.8});
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
  Model at({LossKind::squared, 13, 1, 30, 0.8});
  // Targets that the model meets to 1e-11: what is left of the gradient is of that size.
  const Dense phi = testing::features_of_random_problem(13, 30);
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

TEST(TrustRegionNewtonTest, GradientThatIsAnEigenvectorIsSolvedToo) {
  // γ = 0 and the squared loss of one feature: G is a multiple of the identity on the gradient.
  Model at({LossKind::squared, 5, 1, 1, 0.0});
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
  Model at({LossKind::squared, 5, 1, 10, 0.8});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  for (const double share : {0.0, 1.0, -0.5, 2.0, std::nan("")})
    expect_bad_input("share of delta", [&] { (void)check.measure(share); });
  expect_bad_input("inner tolerance", [&] { (void)check.measure(0.5, std::array{1e-4, 0.0}); });
}

TEST(TrustRegionNewtonTest, OptimalWeightsAreStatedNotDivided) {
  Model at({LossKind::squared, 5, 1, 10, 0.8}, 0.0);  // B = 0, so W = 0
  std::fill(at.problem.train.targets.begin(), at.problem.train.targets.end(), 0.0);
  ShallowLoss loss(at.layout, at.problem);
  TrustRegionNewtonCheck check(at.model, loss, at.dynamics, 7);
  expect_bad_input("W is optimal", [&] { (void)check.measure(); });
}

TEST(TrustRegionNewtonTest, EigensolverThatDoesNotConvergeNamesTheCount) {
  Model at({LossKind::squared, 13, 1, 30, 0.8});
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
  Model at({LossKind::squared, 24, 1, 60, 0.8});
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
  Model at({LossKind::squared, 24, 1, 60, 0.8});
  const GivenOptions options(OptionList{{"tr_inner_ksp_max_it", "2"}});
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  EXPECT_THROW((void)check.measure(), Error);
}

}  // namespace
}  // namespace poise
