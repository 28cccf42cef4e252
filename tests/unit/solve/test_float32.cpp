// -eq_float32 (the default): products in single precision far from the solution, with the same final
// residuals.
#include <gtest/gtest.h>

#include "solver_runs.hpp"

namespace poise {
namespace {

using testing_support::GivenOptions;

constexpr Index p = 9;
constexpr double rtol = 1e-11;

TEST(SinglePrecision, ProductsLeaveEquilibriaAndAdjointsAsExactAsTheyWere) {
  const GivenOptions given({{"eq_snes_type", "meanfield"}, {"adj_ksp_type", "meanfield"}});
  ModelOnGrid<TanhSoftmax> model(1, 14);
  const MPI_Comm comm = model.grid.feature();
  const Block u = model.random_states(p, 3);
  const Block rhs = model.random_states(p, 5);
  EquilibriumSolver solver(comm, model.map, p, rtol);
  const Solved solved = solve_cold(solver, model.map, p, u);
  ASSERT_TRUE(solved.outcome.converged) << solved.outcome.reason;
  EXPECT_NE(solved.outcome.reason.find("FLOAT32"), std::string::npos) << solved.outcome.reason;
  const Index forward = solver.mean_field()->single_columns_multiplied();
  EXPECT_GT(forward, 2 * p);
  for (const double residual : relative_residuals(comm, model.map, p, u, solved.x)) EXPECT_LE(residual, rtol);

  AdjointSolver adjoint(comm, model.map, p, rtol, solver.mean_field());
  Block lambda(rhs.size());
  const Outcome outcome = adjoint.solve(p, solved.slopes.data(), rhs.data(), lambda.data());
  ASSERT_TRUE(outcome.converged) << outcome.reason;
  EXPECT_GT(solver.mean_field()->single_columns_multiplied(), forward + 2 * p);
  for (const double residual : relative_adjoint_residuals(comm, model.map, p, solved.slopes, rhs, lambda))
    EXPECT_LE(residual, 2.0 * rtol);
}

TEST(SinglePrecision, IsNotUsedWhereItIsSwitchedOffOrTheWeightsAreOnSeveralRanks) {
  for (const int feature_ranks : testing_support::feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
    const Block u = model.random_states(p, 3);
    for (const std::string single : {"false", "true"}) {
      const GivenOptions given({{"eq_snes_type", "meanfield"}, {"eq_float32", single}});
      EquilibriumSolver solver(model.grid.feature(), model.map, p, rtol);
      ASSERT_TRUE(solve_cold(solver, model.map, p, u).outcome.converged);
      EXPECT_EQ(solver.mean_field()->single_columns_multiplied() > 0, single == "true" && feature_ranks == 1);
    }
  }
}

}  // namespace
}  // namespace poise
