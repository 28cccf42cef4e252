// The truncated Neumann series as a backward pass.
#include <gtest/gtest.h>

#include "solver_runs.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;

TEST(InexactAdjoint, OneTermIsTheRightHandSide) {
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 9);
    const Block slopes(static_cast<std::size_t>(3 * model.rows()), 0.7);
    const Block rhs = model.random_states(3, 5);
    AdjointSolver solver(model.grid.feature(), model.map, 3, 1e-12, nullptr, AdjointSolver::Defaults(),
                         {Backward::Kind::neumann, 1});
    Block lambda(rhs.size());
    const Outcome outcome = solver.solve(3, slopes.data(), rhs.data(), lambda.data());
    EXPECT_EQ(lambda, rhs);
    EXPECT_EQ(outcome.products, 0);
    EXPECT_TRUE(outcome.usable());
    EXPECT_NO_THROW((void)require(outcome));
    EXPECT_TRUE(std::isnan(outcome.residual));
    EXPECT_EQ(outcome.reason, "INEXACT_NEUMANN_1");
  }
}

TEST(InexactAdjoint, TermsConvergeToTheExactAdjointAtTheRateOfTheContraction) {
  // ‖(∂h/∂z)ᵀ‖∞ = ‖∂h/∂z‖₁ ≤ γ = 0.9, THEORY.md 7.5, so that ‖λ_k − λ‖∞ ≤ γᵏ‖λ‖∞.
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 9);
    const Index p = 4;
    const Block u = model.inject(p, model.random_features(p, 3));
    EquilibriumSolver equilibria(model.grid.feature(), model.map, p);
    const Solved state = solve_cold(equilibria, model.map, p, u);
    const Block rhs = model.random_states(p, 5);
    AdjointSolver exact(model.grid.feature(), model.map, p, 1e-13);
    Block lambda(rhs.size());
    (void)require(exact.solve(p, state.slopes.data(), rhs.data(), lambda.data()));
    const double gamma = 0.9;
    double before = 1.0;
    for (const Index terms : {1, 2, 5, 20, 60, 300}) {
      AdjointSolver solver(model.grid.feature(), model.map, p, 1e-12, nullptr, AdjointSolver::Defaults(),
                           {Backward::Kind::neumann, terms});
      Block truncated(rhs.size());
      const Outcome outcome = solver.solve(p, state.slopes.data(), rhs.data(), truncated.data());
      EXPECT_EQ(outcome.products, terms - 1);
      const double error = relative_difference(model.grid.feature(), truncated, lambda);
      EXPECT_LE(error, std::pow(gamma, static_cast<double>(terms)) + 1e-11);
      EXPECT_TRUE(error < before || error < 1e-11) << terms << " terms";
      before = error;
    }
  }
}

TEST(InexactAdjoint, MoreTermsAreTheHornerSchemeOfTheSeries) {
  ModelOnGrid<TanhSoftmax> model(1, 9);
  const Block slopes(static_cast<std::size_t>(2 * model.rows()), 0.7);
  const Block rhs = model.random_states(2, 5);
  Block power(rhs), sum(rhs), next(rhs.size());
  for (int j = 1; j < 4; ++j) {
    model.map.jacobian_transpose(2, slopes.data(), power.data(), next.data());
    power = next;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += power[i];
  }
  AdjointSolver solver(model.grid.feature(), model.map, 2, 1e-12, nullptr, AdjointSolver::Defaults(),
                       {Backward::Kind::neumann, 4});
  Block lambda(rhs.size());
  (void)require(solver.solve(2, slopes.data(), rhs.data(), lambda.data()));
  EXPECT_LE(relative_difference(model.grid.feature(), lambda, sum), 1e-14);
}

}  // namespace
}  // namespace poise
