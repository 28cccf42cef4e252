// All operators of the check of Theorem 2, against dense matrices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/theory/trust_region_newton.hpp"
#include "unit/theory/newton_model.hpp"

namespace poise {
namespace {

using testing::Dense;
using testing::wanted;
using Case = testing::NewtonCase;
using Model = testing::NewtonModel;

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
        dense(p.loss, testing::random_features(p.m, p.n), at.softmax(), at.w(), p.gamma),
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
  const double share = 0.9;
  const double delta = share * dense.delta_bar;
  std::vector<double> g = gradient();
  const double size = norm(whole(g.data()));
  for (double& value : g) value /= size;
  const Dense metric = dense.metric(delta);
  Dense kkt = dense.hessian;  // H + G/δ, to solve for v without D
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
  const TrustRegionStep step = solver.solve({delta, share, gradient.get(), std::sqrt(radius)});
  const ReadArray direction(step.direction.get());
  EXPECT_LE(distance(whole(direction.data()), v), wanted);
  EXPECT_NEAR(step.multiplier, 1.0, wanted);
}

TEST_P(Newton, FlowIsATrustRegionNewtonStep) {
  TrustRegionNewtonCheck check = at.check_of(at.dynamics);
  const double share = 0.5;
  const TrustRegionNewton found = check.measure(share);
  EXPECT_LE(found.direction_error, wanted);
  EXPECT_LE(found.radius_error, wanted);
  EXPECT_LE(found.multiplier_error, wanted);
  EXPECT_LE(found.velocity_error, wanted);
  EXPECT_EQ(found.proven, p.q == 1);
  EXPECT_NEAR(found.delta_bar, dense.delta_bar, 1e-10 * dense.delta_bar);
  EXPECT_DOUBLE_EQ(found.delta, share * found.delta_bar);
}

// n < m leaves H singular, m = 1 a Krylov space of one dimension.
INSTANTIATE_TEST_SUITE_P(
    Sizes, Newton,
    ::testing::Values(Case{squared_loss(), 1, 1, 5, 0.8}, Case{squared_loss(), 2, 1, 5, 0.8},
                      Case{squared_loss(), 13, 1, 30, 0.8}, Case{squared_loss(), 13, 1, 4, 0.5},
                      Case{squared_loss(), 20, 1, 60, 0.99}, Case{logistic_loss(), 1, 1, 9, 0.8},
                      Case{logistic_loss(), 13, 1, 30, 0.8}, Case{logistic_loss(), 9, 1, 3, 0.9},
                      Case{squared_loss(), 6, 3, 20, 0.8}, Case{squared_loss(), 5, 3, 3, 0.8},
                      Case{cross_entropy_loss(), 6, 3, 20, 0.8}, Case{cross_entropy_loss(), 5, 3, 3, 0.8}));

}  // namespace
}  // namespace poise
