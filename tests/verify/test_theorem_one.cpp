#include <gtest/gtest.h>

#include <cmath>

#include "poise/theory/audit.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "unit/theory/dense_dynamics.hpp"
#include "unit/theory/dense_samples.hpp"

// Theorem 1 on a gradient flow of the model itself, integrated densely on every rank.
namespace poise {
namespace {

using testing::Dense;

constexpr double gamma_factor = 0.5;
constexpr double scale = 1.0 / 12.0;  // the mean over samples

struct Parameters {
  Dense a;  ///< m x m
  Dense b;  ///< Bᵀ, m x q
};

void add(double factor, const Dense& x, Dense& y) {
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] += factor * x.values[i];
}

Dense softmax_of(const Dense& a) {
  Dense s(a.rows, a.rows);
  for (Index j = 0; j < a.rows; ++j) {
    double sum = 0.0;
    for (Index i = 0; i < a.rows; ++i) sum += s(i, j) = std::exp(a(i, j));
    for (Index i = 0; i < a.rows; ++i) s(i, j) /= sum;
  }
  return s;
}

class TheoremOne : public ::testing::Test {
 protected:
  static constexpr Index m = 5;
  static constexpr Index q = 2;
  static constexpr Index n = 12;

  TheoremOne() : grid(MPI_COMM_WORLD), softmax(grid.world(), grid.world_offsets(m)) {
    features = transposed(testing::orthonormal(n, m, 41));  // whitened: all singular values √n
    for (double& value : features.values) value *= std::sqrt(static_cast<double>(n));
    targets = testing::random_block(q, n, 1.0, 42);
    c = product(features, transposed(features));
    e = product(features, transposed(targets));
  }
  [[nodiscard]] static Dense inverse_u(const Parameters& p) {
    return testing::inverse(testing::shifted(softmax_of(p.a), gamma_factor));
  }
  /// Wᵀ = U⁻ᵀ Bᵀ
  [[nodiscard]] static Dense shallow(const Parameters& p) { return product(transposed(inverse_u(p)), p.b); }
  /// ∇L₀(W)ᵀ = 2 s (C Wᵀ − Eᵀ)
  [[nodiscard]] Dense shallow_gradient(const Dense& w) const {
    Dense g = product(c, w);
    add(-1.0, e, g);
    for (double& value : g.values) value *= 2.0 * scale;
    return g;
  }
  /// The right side of the flow, THEORY.md 3.
  [[nodiscard]] Parameters velocity(const Parameters& p) const {
    const Dense s = softmax_of(p.a);
    const Dense w = shallow(p);
    Parameters v{Dense(m, m), product(inverse_u(p), shallow_gradient(w))};
    const Dense k = product(w, transposed(v.b));
    for (Index j = 0; j < m; ++j) {
      double sum = 0.0;
      for (Index i = 0; i < m; ++i) sum += s(i, j) * gamma_factor * k(i, j);
      for (Index i = 0; i < m; ++i) v.a(i, j) = -s(i, j) * (gamma_factor * k(i, j) - sum);
    }
    for (double& value : v.b.values) value = -value;
    return v;
  }
  [[nodiscard]] static Parameters moved(Parameters p, double h, const Parameters& v) {
    add(h, v.a, p.a);
    add(h, v.b, p.b);
    return p;
  }
  [[nodiscard]] Parameters runge_kutta(const Parameters& p, double h) const {
    const Parameters k1 = velocity(p);
    const Parameters k2 = velocity(moved(p, h / 2, k1));
    const Parameters k3 = velocity(moved(p, h / 2, k2));
    const Parameters k4 = velocity(moved(p, h, k3));
    return moved(moved(moved(moved(p, h / 6, k1), h / 3, k2), h / 3, k3), h / 6, k4);
  }
  [[nodiscard]] static Parameters start() {
    return {testing::random_block(m, m, 1.0, 43), testing::random_block(m, q, 1.0, 44)};
  }

  /// Audits the flow up to `time`, in steps of h, with λ_min multiplied by
  /// `overstated`.
  [[nodiscard]] RateAudit audited(double time, double h, double overstated) {
    const ParameterLayout layout(grid, m, q);
    const LeastSquaresReference reference(
        triangular_factor(layout, testing::samples_of(layout, features, targets)), q, scale);
    DynamicsMatrix dynamics(softmax, gamma_factor, q);
    SmallestEigensolver solver(dynamics, 3);
    // W = B U⁻¹ carries the condition number of U, THEORY.md 7.1.
    const double weight_error = 8.0 * 2.2e-16 * (1.0 + gamma_factor) / (1.0 - gamma_factor);
    RateAudit audit({reference.kappa(), dynamics.lambda_floor(), reference.excess_rounding(weight_error)});
    Parameters p = start();
    for (std::int64_t step = 0; static_cast<double>(step) * h <= time; ++step) {
      testing::fill_rows(softmax, softmax_of(p.a));
      const std::vector<double> w = testing::local_block(softmax, shallow(p));
      dynamics.update(w.data());
      const auto at = reference.distance(w.data());
      AuditSample sample;
      sample.step = step;
      sample.t = h * static_cast<double>(step);
      sample.excess = at.excess;
      sample.grad_norm2 = at.grad_norm2;
      sample.lambda_min = overstated * solver.solve().lower_bound;
      (void)audit.add(sample);
      if (step == 0) first_excess = at.excess;
      last_excess = at.excess;
      p = runge_kutta(p, h);
    }
    return audit;
  }

  double first_excess = 0.0;
  double last_excess = 0.0;
  ProcessGrid grid;
  Dense features{0, 0}, targets{0, 0}, c{0, 0}, e{0, 0};
  RowBlockMatrix softmax;
};

TEST_F(TheoremOne, FlowMovesTheShallowWeightByMinusDTimesItsGradient) {
  const Parameters p = start();
  const Parameters v = velocity(p);
  const Dense d = testing::explicit_dynamics(softmax_of(p.a), shallow(p), gamma_factor);
  const std::vector<double> expected = testing::times(d, shallow_gradient(shallow(p)).values);
  const double h = 1e-5;
  const Dense after = shallow(moved(p, h, v));
  const Dense before = shallow(moved(p, -h, v));
  double largest = 0.0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < expected.size(); ++i)  // central difference: h² and ε/h
    EXPECT_NEAR((after.values[i] - before.values[i]) / (2.0 * h), -expected[i], 1e-7 * largest);
}

TEST_F(TheoremOne, FlowStaysBelowBothBoundsDownToRounding) {
  const RateAudit audit = audited(36.0, 0.05, 1.0);
  EXPECT_TRUE(audit.held()) << audit.verdict();
  EXPECT_LE(last_excess, 1e-27 * first_excess);
  EXPECT_GE(audit.smallest_tightness(), 1.0);
  EXPECT_LT(audit.smallest_tightness(), 1.2);  // the bound is nearly reached
}

TEST_F(TheoremOne, StepTooLongForTheIntegratorFailsTheAuditWhereItIsTaken) {
  const RateAudit audit = audited(0.5, 0.5, 1.0);  // beyond the stability of the method
  ASSERT_FALSE(audit.held());
  EXPECT_EQ(audit.first_violation()->step, 1);
}

TEST_F(TheoremOne, EigenvaluesOverstatedTwofoldFailTheAudit) {
  const RateAudit audit = audited(2.0, 0.05, 2.0);
  EXPECT_FALSE(audit.held());
  EXPECT_LT(audit.smallest_tightness(), 1.0);
}

}  // namespace
}  // namespace poise
