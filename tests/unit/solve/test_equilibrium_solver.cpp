// The solvers themselves, on the linear model, whose equilibria are known in part.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "poise/base/random.hpp"
#include "poise/model/pointwise.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "support/given_options.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;

TEST(SoftmaxLinearModel, SumOfTheEquilibriumIsTheSumOfTheInjectionOverOneMinusGamma) {
  // THEORY.md 7.1
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
      require(solver.solve(1, phi.data(), z.data(), nullptr));
      double sum = 0.0;
      for (const double entry : z) sum += entry;
      MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, grid.feature());
      EXPECT_NEAR(sum, 11.0 / (1.0 - gamma), 1e-10 * sum);
    }
  }
}

TEST(SoftmaxLinearModel, DepthHIterationApproachesTheEquilibriumAtRateGamma) {
  // THEORY.md 7.3: ‖z⁽ˡ⁾ − z*‖₁ ≤ γˡ‖z⁽⁰⁾ − z*‖₁
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
  require(solver.solve(1, phi.data(), star.data(), nullptr));
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
  const Outcome outcome = solver.solve(1, phi.data(), z.data(), nullptr);
  EXPECT_FALSE(outcome.converged);
  EXPECT_THROW(require(outcome), Error);
}

TEST(EquilibriumSolver, TooFewIterationsAreReportedWithReasonAndResidual) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 40, 1);
  const testing_support::GivenOptions given({{"adj_ksp_max_it", "2"}, {"adj_ladder", "false"}});
  SoftmaxLinear map(layout, 0.99);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 3, 4.0, 1.0);
  map.set_parameters(theta.get());
  std::vector<double> rhs(40), lambda(40);
  for (int i = 0; i < 40; ++i) rhs[i] = std::sin(i * i);
  AdjointSolver solver(grid.feature(), map, 1, 1e-12);
  const Outcome outcome = solver.solve(1, nullptr, rhs.data(), lambda.data());
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
