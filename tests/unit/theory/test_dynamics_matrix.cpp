#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "unit/theory/dense_dynamics.hpp"

namespace poise {
namespace {

using testing::Dense;

constexpr double epsilon = std::numeric_limits<double>::epsilon();

struct Case {
  Index m, q;
  double gamma;
  double weight_scale;  ///< of A; 1 is a usual start, 300 makes almost every column one-hot
  double output_scale;  ///< of W
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << "m " << c.m << " q " << c.q << " gamma " << c.gamma << " A " << c.weight_scale << " W "
       << c.output_scale;
}

class Dynamics : public ::testing::TestWithParam<Case> {
 protected:
  Dynamics()
      : p(GetParam()),
        grid(MPI_COMM_WORLD),
        s(testing::softmax_weights(p.m, p.weight_scale, 11)),
        w(testing::random_block(p.m, p.q, p.output_scale, 12)),
        inverse_u(testing::inverse(testing::shifted(s, p.gamma))),
        d(testing::explicit_dynamics(s, w, p.gamma)),
        softmax(grid.world(), grid.world_offsets(p.m)),
        dynamics(softmax, p.gamma, p.q) {
    testing::fill_rows(softmax, s);
    dynamics.update(testing::local_block(softmax, w).data());
  }
  /// x = U⁻¹ rhs or U⁻ᵀ rhs with the dense inverse.
  void solve(const double* rhs, double* x, bool transpose) const {
    const Dense b = testing::whole_block(softmax, p.q, rhs);
    for (Index c = 0; c < p.q; ++c)
      for (Index i = 0; i < softmax.local_rows(); ++i) {
        const Index row = softmax.row_begin() + i;
        double sum = 0.0;
        for (Index j = 0; j < p.m; ++j) sum += (transpose ? inverse_u(j, row) : inverse_u(row, j)) * b(j, c);
        x[c * softmax.local_rows() + i] = sum;
      }
  }
  [[nodiscard]] Dense applied(const Dense& v) const {
    std::vector<double> x = testing::local_block(softmax, v);
    dynamics.apply(
        x.data(), x.data(), [this](const double* b, double* y) { solve(b, y, false); },
        [this](const double* b, double* y) { solve(b, y, true); });
    return testing::whole_block(softmax, p.q, x.data());
  }
  [[nodiscard]] Dense inverse_applied(const Dense& v) const {
    std::vector<double> x = testing::local_block(softmax, v);
    dynamics.apply_inverse(x.data(), x.data());
    return testing::whole_block(softmax, p.q, x.data());
  }
  /// Relative rounding of D and of products with it: sums of m terms behind the condition number of U
  /// (THEORY.md 7.1: ‖U‖₁‖U⁻¹‖₁ <= (1 + γ)/(1 − γ)).
  [[nodiscard]] double rounding() const {
    return 8.0 * static_cast<double>(p.m * p.q) * epsilon * (1.0 + p.gamma) / (1.0 - p.gamma);
  }
  static double largest(const std::vector<double>& x) {
    double top = 0.0;
    for (const double value : x) top = std::max(top, std::abs(value));
    return top;
  }
  static void expect_near(const std::vector<double>& x, const std::vector<double>& y, double tolerance) {
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], tolerance) << "entry " << i;
  }

  Case p;
  ProcessGrid grid;
  Dense s, w, inverse_u, d;
  RowBlockMatrix softmax;
  DynamicsMatrix dynamics;
};

TEST_P(Dynamics, ProductEqualsTheExplicitKroneckerSum) {
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  expect_near(applied(v).values, testing::times(d, v.values),
              rounding() * testing::largest_row_sum(d) * largest(v.values));
}

TEST_P(Dynamics, ExplicitMatrixTimesTheInverseProductIsTheIdentity) {
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  const Dense x = inverse_applied(v);
  expect_near(testing::times(d, x.values), v.values,
              rounding() * testing::largest_row_sum(d) * largest(x.values));
}

TEST_P(Dynamics, InverseUndoesTheProduct) {
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  const Dense x = applied(v);
  // ‖D⁻¹‖ <= ‖U‖² <= m (1 + γ)², THEORY.md 4.4
  expect_near(inverse_applied(x).values, v.values, rounding() * largest(x.values) / dynamics.lambda_floor());
}

TEST_P(Dynamics, ProductIsSymmetric) {
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  const Dense x = testing::random_block(p.m, p.q, 1.0, 14);
  const auto dot = [](const Dense& a, const Dense& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
    return sum;
  };
  const double size = std::sqrt(dot(v, v) * dot(x, x));
  EXPECT_NEAR(dot(x, applied(v)), dot(v, applied(x)), rounding() * testing::largest_row_sum(d) * size);
  EXPECT_NEAR(dot(x, inverse_applied(v)), dot(v, inverse_applied(x)),
              rounding() * size / dynamics.lambda_floor());
}

TEST_P(Dynamics, StateInverseIsTheQuotientOfAProductVector) {
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);  // first column: p; first row: c
  Dense product = v;
  for (Index c = 0; c < p.q; ++c)
    for (Index k = 0; k < p.m; ++k) product(k, c) = v(k, 0) * v(0, c);
  std::vector<double> c, d(static_cast<std::size_t>(softmax.local_rows())), x(d.size());
  for (Index a = 0; a < p.q; ++a) c.push_back(v(0, a));
  dynamics.state_weights(c.data(), d.data());
  const std::vector<double> state = testing::local_block(softmax, v);  // the first column comes first
  dynamics.apply_state_inverse(d.data(), state.data(), x.data());
  double quotient = std::inner_product(x.begin(), x.end(), state.begin(), 0.0);
  MPI_Allreduce(MPI_IN_PLACE, &quotient, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  const Dense image = inverse_applied(product);
  const double expected =
      std::inner_product(image.values.begin(), image.values.end(), product.values.begin(), 0.0);
  EXPECT_NEAR(quotient, expected, rounding() / dynamics.lambda_floor() * expected);
}

TEST_P(Dynamics, ColumnsReducedInSeveralRoundsGiveTheSameMatrix) {
  DynamicsMatrix in_rounds(softmax, p.gamma, p.q, 3);
  in_rounds.update(testing::local_block(softmax, w).data());
  const Dense v = testing::random_block(p.m, p.q, 1.0, 13);
  std::vector<double> x = testing::local_block(softmax, v);
  in_rounds.apply_inverse(x.data(), x.data());
  const Dense expected = inverse_applied(v);
  expect_near(testing::whole_block(softmax, p.q, x.data()).values, expected.values,
              rounding() * largest(expected.values));
}

TEST_P(Dynamics, SmallestEigenvalueIsThatOfTheExplicitMatrix) {
  const std::vector<double> values = testing::spectrum(d);
  SmallestEigensolver solver(dynamics, 5);
  const SmallestEigenvalue found = solver.solve();
  // A dense eigenvalue is right to a rounding of the largest one.
  const double tolerance = 1e-12 * values.front() + rounding() * values.back();
  EXPECT_NEAR(found.lambda_min, values.front(), tolerance);
  EXPECT_LE(found.lower_bound, values.front() + tolerance);
  EXPECT_GE(found.lambda_min, dynamics.lambda_floor());
  EXPECT_LE(found.residual, 1e-7 / found.lambda_min);
  EXPECT_GT(found.products, 0);
  EXPECT_GT(found.reason, 0);
}

TEST_P(Dynamics, SmallestEigenvalueIsTheSameFromAWarmStart) {
  SmallestEigensolver solver(dynamics, 5);
  const SmallestEigenvalue cold = solver.solve();
  const SmallestEigenvalue warm = solver.solve();
  EXPECT_NEAR(warm.lambda_min, cold.lambda_min, 1e-12 * cold.lambda_min);
  if (p.gamma > 0.0) {  // else D = I, and the first solve ends by breakdown
    EXPECT_LE(warm.products, cold.products);
  }
}

TEST_P(Dynamics, RestoredEigenvectorsContinueBitwise) {
  SmallestEigensolver first(dynamics, 5);
  (void)first.solve();
  (void)first.solve();
  SmallestEigensolver second(dynamics, 6);  // a different seed: they share only the vectors
  second.set_eigenvectors(first.eigenvectors());
  const SmallestEigenvalue a = first.solve();
  const SmallestEigenvalue b = second.solve();
  EXPECT_EQ(a.lambda_min, b.lambda_min);
  EXPECT_EQ(a.products, b.products);
  EXPECT_EQ(first.eigenvectors(), second.eigenvectors());
}

// Widths 1 and 3 leave ranks without rows when there are four of them.
INSTANTIATE_TEST_SUITE_P(Sizes, Dynamics,
                         ::testing::Values(Case{1, 1, 0.5, 1.0, 1.0}, Case{1, 4, 0.9, 1.0, 1.0},
                                           Case{3, 1, 0.5, 1.0, 1.0}, Case{3, 2, 0.99, 1.0, 1.0},
                                           Case{6, 1, 0.8, 1.0, 0.0}, Case{6, 2, 0.8, 1.0, 3.0},
                                           Case{6, 4, 0.99, 5.0, 1.0}, Case{13, 1, 0.9, 1.0, 1.0},
                                           Case{13, 2, 0.99, 300.0, 30.0}, Case{13, 4, 0.8, 1.0, 1e-3},
                                           Case{13, 4, 0.99, 1.0, 10.0}, Case{13, 4, 0.0, 1.0, 1.0},
                                           Case{40, 3, 0.8, 1.0, 0.05}, Case{64, 4, 0.8, 1.0, 0.05}));

class DynamicsErrors : public ::testing::Test {
 protected:
  DynamicsErrors() : grid(MPI_COMM_WORLD), softmax(grid.world(), grid.world_offsets(13)) {
    testing::fill_rows(softmax, testing::softmax_weights(13, 1.0, 11));
  }
  ProcessGrid grid;
  RowBlockMatrix softmax;
};

TEST_F(DynamicsErrors, NotANumberInTheWeightsIsAnErrorOnEveryRank) {
  DynamicsMatrix dynamics(softmax, 0.8, 2);
  std::vector<double> w(static_cast<std::size_t>(dynamics.local_size()), 1.0);
  if (softmax.row_begin() == 0 && !w.empty()) w[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(dynamics.update(w.data()), Error);
}

TEST_F(DynamicsErrors, ContractionFactorsOfOneAreRefused) {
  EXPECT_THROW(DynamicsMatrix(softmax, 1.0, 2), Error);
  EXPECT_THROW(DynamicsMatrix(softmax, 0.5, -1), Error);
}

TEST_F(DynamicsErrors, EigensolverThatDoesNotConvergeThrowsAndNamesTheCount) {
  DynamicsMatrix dynamics(softmax, 0.8, 4);
  const testing::Dense w = testing::random_block(13, 4, 1.0, 12);
  dynamics.update(testing::local_block(softmax, w).data());
  for (const auto& [name, value] :
       {std::pair{"-spec_eps_max_it", "1"}, {"-spec_eps_ncv", "3"}, {"-spec_eps_tol", "1e-14"}})
    PetscOptionsSetValue(nullptr, name, value);
  SmallestEigensolver solver(dynamics, 5);
  for (const char* name : {"-spec_eps_max_it", "-spec_eps_ncv", "-spec_eps_tol"})
    PetscOptionsClearValue(nullptr, name);
  try {
    (void)solver.solve();
    FAIL() << "converged in one restart";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("0 pairs converged"), std::string::npos) << error.what();
    EXPECT_TRUE(error.collective());
  }
}

TEST_F(DynamicsErrors, EigenvectorOfAnotherModelIsRefused) {
  const DynamicsMatrix dynamics(softmax, 0.8, 2);
  SmallestEigensolver solver(dynamics, 5);
  const std::vector<double> wrong(static_cast<std::size_t>(dynamics.local_size()) + 1);
  EXPECT_THROW(solver.set_eigenvectors(wrong), Error);
}

TEST(CholeskyBatch, TheFirstMatrixThatIsNotPositiveDefiniteIsNamed) {
  CholeskyBatch batch(3, 2);
  for (Index k = 0; k < 3; ++k) {
    batch.entry(0, 0)[k] = 1.0;
    batch.entry(1, 0)[k] = k == 1 ? 2.0 : 0.5;
    batch.entry(1, 1)[k] = 1.0;
  }
  EXPECT_EQ(batch.factor(), 1);
}

}  // namespace
}  // namespace poise
