// What every equilibrium map must satisfy. A new model is one line at the end.
#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/random.hpp"
#include "poise/model/softmax_linear.hpp"
#include "poise/solve/column_norms.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;

constexpr Index outputs = 2;

struct SoftmaxLinearAt90 {
  using Map = SoftmaxLinear;
  static Map make(const ParameterLayout& layout) { return {layout, 0.9}; }
  static constexpr double contraction = 0.9;
};

template <class Model>
class EquilibriumModels : public testing::Test {
 protected:
  /// Runs the body on every grid, and on widths that leave ranks without rows.
  template <class Body>
  void on_every_grid(Body body) {
    for (const int feature_ranks : feature_rank_choices()) {
      for (const Index m : {2, 3, 14}) {
        const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
        const ParameterLayout layout(grid, m, outputs);
        auto map = Model::make(layout);
        const VecHandle theta = layout.create();
        layout.initialise(theta.get(), 1, 1.5, 1.0);
        map.set_parameters(theta.get());
        body(layout, map, theta.get());
      }
    }
  }
  static std::vector<double> block(const ParameterLayout& layout, Index p, std::uint64_t seed) {
    const CounterRandom random(seed, Stream::test_direction);
    std::vector<double> x;
    for (Index c = 0; c < p; ++c)
      for (Index i = layout.block().begin; i < layout.block().end; ++i) x.push_back(random.normal(i, c));
    return x;
  }
  static double dot(const ParameterLayout& layout, const std::vector<double>& a,
                    const std::vector<double>& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, layout.grid().feature());
    return sum;
  }
};

using Models = testing::Types<SoftmaxLinearAt90>;
TYPED_TEST_SUITE(EquilibriumModels, Models);

TYPED_TEST(EquilibriumModels, JacobianIsTheDerivativeOfTheMap) {
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec) {
    const Index p = 3;
    const auto z = this->block(layout, p, 1);
    const auto v = this->block(layout, p, 2);
    const auto phi = this->block(layout, p, 3);
    std::vector<double> plus(z.size()), minus(z.size()), jv(z.size()), shifted(z.size());
    const double h = 1e-4;
    for (std::size_t i = 0; i < z.size(); ++i) shifted[i] = z[i] + h * v[i];
    map.apply(p, shifted.data(), phi.data(), plus.data());
    for (std::size_t i = 0; i < z.size(); ++i) shifted[i] = z[i] - h * v[i];
    map.apply(p, shifted.data(), phi.data(), minus.data());
    map.jacobian(p, z.data(), v.data(), jv.data());
    for (std::size_t i = 0; i < z.size(); ++i) EXPECT_NEAR((plus[i] - minus[i]) / (2 * h), jv[i], 1e-7);
  });
}

TYPED_TEST(EquilibriumModels, TransposedJacobianIsTheAdjointOfTheJacobian) {
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec) {
    const Index p = 3;
    const auto z = this->block(layout, p, 1);
    const auto v = this->block(layout, p, 2);
    const auto w = this->block(layout, p, 4);
    std::vector<double> jv(z.size()), jtw(z.size());
    map.jacobian(p, z.data(), v.data(), jv.data());
    map.jacobian_transpose(p, z.data(), w.data(), jtw.data());
    EXPECT_NEAR(this->dot(layout, w, jv), this->dot(layout, jtw, v), 1e-13 * 14 * p);
  });
}

TYPED_TEST(EquilibriumModels, EquilibriumIsAFixedPointForEverySample) {
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec) {
    const Index p = 5;
    auto phi = this->block(layout, p, 3);
    for (Index i = 0; i < layout.block().size(); ++i)
      phi[2 * layout.block().size() + i] = 0.0;  // a zero sample
    for (Index i = 0; i < layout.block().size(); ++i)
      phi[3 * layout.block().size() + i] *= 1e-9;  // a tiny one
    EquilibriumSolver solver(layout.grid().feature(), map, p);
    auto z = phi;
    const Outcome outcome = solver.solve(phi.data(), z.data());
    ASSERT_TRUE(outcome.converged) << outcome.reason;
    std::vector<double> h(z.size()), hz(p), residual(p);
    map.apply(p, z.data(), phi.data(), h.data());
    column_norms(layout.grid().feature(), layout.block().size(), p, h.data(), hz.data());
    for (std::size_t i = 0; i < z.size(); ++i) h[i] -= z[i];
    column_norms(layout.grid().feature(), layout.block().size(), p, h.data(), residual.data());
    for (Index c = 0; c < p; ++c) EXPECT_LE(residual[c], 1.01 * solver.rtol() * hz[c]) << "sample " << c;
  });
}

TYPED_TEST(EquilibriumModels, CertificateBoundsTheErrorOfAnyState) {
  // theory.md 7.5: ‖z − z*‖₁ ≤ ‖z − h(z)‖₁/(1 − γ)
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec) {
    const auto phi = this->block(layout, 1, 3);
    auto star = phi;
    EquilibriumSolver solver(layout.grid().feature(), map, 1);
    require(solver.solve(phi.data(), star.data()));
    const auto z = this->block(layout, 1, 9);
    std::vector<double> h(z.size());
    map.apply(1, z.data(), phi.data(), h.data());
    double norms[2] = {0.0, 0.0};
    for (std::size_t i = 0; i < z.size(); ++i) {
      norms[0] += std::abs(z[i] - star[i]);
      norms[1] += std::abs(z[i] - h[i]);
    }
    MPI_Allreduce(MPI_IN_PLACE, norms, 2, MPI_DOUBLE, MPI_SUM, layout.grid().feature());
    EXPECT_LE(norms[0], norms[1] / (1.0 - TypeParam::contraction) * (1.0 + 1e-10));
  });
}

TYPED_TEST(EquilibriumModels, AdjointSolvesTheTransposedSystemOfEverySample) {
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec) {
    const Index p = 4;
    const auto z = this->block(layout, p, 1);
    auto rhs = this->block(layout, p, 5);
    for (Index i = 0; i < layout.block().size(); ++i) {
      rhs[i] = 0.0;                              // nothing to solve
      rhs[layout.block().size() + i] *= 1e-150;  // as small as it may get
    }
    AdjointSolver solver(layout.grid().feature(), map, p, 1e-12);
    std::vector<double> lambda(rhs.size()), jt(rhs.size());
    const Outcome outcome = solver.solve(z.data(), rhs.data(), lambda.data());
    ASSERT_TRUE(outcome.converged) << outcome.reason;
    map.jacobian_transpose(p, z.data(), lambda.data(), jt.data());
    for (std::size_t i = 0; i < rhs.size(); ++i) jt[i] = lambda[i] - jt[i] - rhs[i];
    std::vector<double> residual(p), norm(p);
    column_norms(layout.grid().feature(), layout.block().size(), p, jt.data(), residual.data());
    column_norms(layout.grid().feature(), layout.block().size(), p, rhs.data(), norm.data());
    for (Index c = 0; c < p; ++c) EXPECT_LE(residual[c], 3e-12 * norm[c]) << "sample " << c;
  });
}

TYPED_TEST(EquilibriumModels, ParameterGradientMatchesADifferenceQuotient) {
  // d/dε <Λ, h(Z; θ + ε D)> = <gradient, D>
  this->on_every_grid([&](const ParameterLayout& layout, EquilibriumMap& map, Vec theta) {
    const Index p = 3;
    const auto z = this->block(layout, p, 1);
    const auto phi = this->block(layout, p, 3);
    const auto lambda = this->block(layout, p, 6);
    const VecHandle gradient = duplicate(theta);
    const VecHandle direction = duplicate(theta);
    const VecHandle moved = duplicate(theta);
    check(VecSet(gradient.get(), 0.0));
    layout.initialise(direction.get(), 77, 1.0, 0.0);
    map.clear_gradient();
    // Every sample rank adds the same block here, so the reduced gradient counts it that many times.
    map.add_gradient(p, z.data(), lambda.data());
    map.write_gradient(gradient.get());
    double slope = 0.0;
    check(VecDot(gradient.get(), direction.get(), &slope));
    slope /= layout.grid().sample_ranks();
    const double h = 1e-5;
    double difference = 0.0;
    std::vector<double> value(z.size());
    for (const double sign : {1.0, -1.0}) {
      check(VecWAXPY(moved.get(), sign * h, direction.get(), theta));
      map.set_parameters(moved.get());
      map.apply(p, z.data(), phi.data(), value.data());
      difference += sign * this->dot(layout, lambda, value) / (2.0 * h);
    }
    EXPECT_NEAR(difference, slope, 1e-8 * (1.0 + std::abs(slope)));
  });
}

TEST(SoftmaxLinearModel, SumOfTheEquilibriumIsTheSumOfTheInjectionOverOneMinusGamma) {
  // theory.md 7.1
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout layout(grid, 11, 1);
    for (const double gamma : {0.1, 0.8, 0.99}) {
      SoftmaxLinear map(layout, gamma);
      const VecHandle theta = layout.create();
      layout.initialise(theta.get(), 3, 2.0, 1.0);
      map.set_parameters(theta.get());
      std::vector<double> phi(static_cast<std::size_t>(layout.block().size()), 1.0);
      auto z = phi;
      EquilibriumSolver solver(grid.feature(), map, 1);
      require(solver.solve(phi.data(), z.data()));
      double sum = 0.0;
      for (const double entry : z) sum += entry;
      MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, grid.feature());
      EXPECT_NEAR(sum, 11.0 / (1.0 - gamma), 1e-10 * sum);
    }
  }
}

TEST(SoftmaxLinearModel, DepthHIterationApproachesTheEquilibriumAtRateGamma) {
  // theory.md 7.3: ‖z⁽ˡ⁾ − z*‖₁ ≤ γˡ‖z⁽⁰⁾ − z*‖₁
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 11, 1);
  const double gamma = 0.7;
  SoftmaxLinear map(layout, gamma);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 3, 1.0, 1.0);
  map.set_parameters(theta.get());
  const CounterRandom random(2, Stream::test_direction);
  std::vector<double> phi;
  for (Index i = layout.block().begin; i < layout.block().end; ++i) phi.push_back(random.normal(i));
  auto star = phi;
  EquilibriumSolver solver(grid.feature(), map, 1);
  require(solver.solve(phi.data(), star.data()));
  const auto distance = [&](const std::vector<double>& z) {
    double sum = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i) sum += std::abs(z[i] - star[i]);
    return sum;
  };
  std::vector<double> z(phi.size(), 0.0), next(phi.size());
  const double start = distance(z);
  for (int depth = 1; depth <= 40; ++depth) {
    map.apply(1, z.data(), phi.data(), next.data());
    z.swap(next);
    EXPECT_LE(distance(z), std::pow(gamma, depth) * start + 1e-11 * start);
  }
}

TEST(EquilibriumSolver, ANotANumberEndsInAFailedOutcomeNotInANumber) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 6, 1);
  SoftmaxLinear map(layout, 0.5);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 3, 1.0, 1.0);
  map.set_parameters(theta.get());
  std::vector<double> phi(6, 1.0);
  phi[4] = std::nan("");
  auto z = phi;
  EquilibriumSolver solver(grid.feature(), map, 1);
  const Outcome outcome = solver.solve(phi.data(), z.data());
  EXPECT_FALSE(outcome.converged);
  EXPECT_THROW(require(outcome), Error);
}

TEST(EquilibriumSolver, TooFewIterationsAreReportedWithReasonAndResidual) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 40, 1);
  PetscOptionsInsertString(nullptr, "-adj_ksp_max_it 2");
  SoftmaxLinear map(layout, 0.99);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 3, 4.0, 1.0);
  map.set_parameters(theta.get());
  std::vector<double> rhs(40), lambda(40);
  for (int i = 0; i < 40; ++i) rhs[i] = std::sin(i * i);
  AdjointSolver solver(grid.feature(), map, 1, 1e-12);
  const Outcome outcome = solver.solve(rhs.data(), rhs.data(), lambda.data());
  PetscOptionsClearValue(nullptr, "-adj_ksp_max_it");
  EXPECT_FALSE(outcome.converged);
  EXPECT_GT(outcome.residual, 1e-12);
  try {
    require(outcome);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("adjoint (adj_)"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("DIVERGED_ITS"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace poise
