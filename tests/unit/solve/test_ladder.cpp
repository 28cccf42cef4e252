// The ladder of solvers if the chosen solver fails, and the work that a panel saves if it converges.
#include <gtest/gtest.h>

#include <numeric>

#include "solver_runs.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using testing_support::GivenOptions;
using testing_support::OptionList;

using Stiff = PointwiseCase<Act::tanh, Kind::softmax, Input::plain, 99>;
using Free = PointwiseCase<Act::relu, Kind::free, Input::plain, 100>;

/// With slopes near 1 and γ = 0.99 the equilibrium is far from the injection, and the mean slopes are the
/// slopes at the injection.
struct HardPanel {
  static constexpr Index p = 12;
  explicit HardPanel(int feature_ranks) : model(feature_ranks, 60), u(model.random_states(p, 3)) {
    for (double& entry : u) entry *= 0.02;
  }
  ModelOnGrid<Stiff> model;
  Block u;
};

TEST(Ladder, SolvesWhatTheMeanFieldIterationGivesUpAndSaysWhichRungsItTook) {
  for (const int feature_ranks : feature_rank_choices()) {
    HardPanel hard(feature_ranks);
    const MPI_Comm comm = hard.model.grid.feature();
    const GivenOptions given(OptionList{{"eq_snes_type", "meanfield"}});
    EquilibriumSolver solver(comm, hard.model.map, HardPanel::p);
    const Solved solved = solve_cold(solver, hard.model.map, HardPanel::p, hard.u);
    expect_contract(solved.outcome, relative_residuals(comm, hard.model.map, HardPanel::p, hard.u, solved.x),
                    1.001 * solver.rtol());
    EXPECT_GT(solved.outcome.fallbacks, 0);
    EXPECT_LE(solved.outcome.fallbacks, HardPanel::p);
    EXPECT_TRUE(contains(solved.outcome.reason, ", eq_mixed_: CONVERGED")) << solved.outcome.reason;
  }
}

// If the columns of softmax weights differ much, the second eigenvalue is near the first: a correction of the
// first mode alone is then slow, forward and backward.
TEST(Ladder, MixesTheSamplesThatThePerronCorrectionIsSlowFor) {
  for (const int feature_ranks : feature_rank_choices()) {
    HardPanel hard(feature_ranks);
    const MPI_Comm comm = hard.model.grid.feature();
    check(VecScale(hard.model.theta.get(), 6.0));
    hard.model.map.set_parameters(hard.model.theta.get());
    const GivenOptions given(OptionList{{"eq_snes_type", "perron"}});
    EquilibriumSolver solver(comm, hard.model.map, HardPanel::p);
    const Solved solved = solve_cold(solver, hard.model.map, HardPanel::p, hard.u);
    expect_contract(solved.outcome, relative_residuals(comm, hard.model.map, HardPanel::p, hard.u, solved.x),
                    1.001 * solver.rtol());
    EXPECT_GT(solved.outcome.fallbacks, 0);
    EXPECT_TRUE(contains(solved.outcome.reason, ", eq_mixed_: CONVERGED")) << solved.outcome.reason;
    const Block rhs = hard.model.random_states(HardPanel::p, 7);
    AdjointSolver adjoint(comm, hard.model.map, HardPanel::p, 1e-12, solver.mean_field(),
                          {.type = ksp_neumann, .preconditioner = pc_perron});
    Block lambda(rhs.size());
    const Outcome outcome = adjoint.solve(HardPanel::p, solved.slopes.data(), rhs.data(), lambda.data());
    ASSERT_TRUE(outcome.converged) << outcome.reason;
    EXPECT_TRUE(contains(outcome.reason, ", adj_mixed_: CONVERGED")) << outcome.reason;
  }
}

// For three samples the default is a different type: the type that was given also hands samples to the
// ladder.
TEST(Ladder, TakesSlowSamplesFromAMeanFieldThatWasAskedForByName) {
  HardPanel hard(1);
  const GivenOptions given(OptionList{{"eq_snes_type", "meanfield"}, {"adj_ksp_type", "meanfield"}});
  EquilibriumSolver solver(hard.model.grid.feature(), hard.model.map, HardPanel::p, 1e-12, 3);
  ASSERT_NE(EquilibriumSolver::default_type(hard.model.map, 3), "meanfield");
  const Solved solved = solve_cold(solver, hard.model.map, HardPanel::p, hard.u);
  EXPECT_TRUE(solved.outcome.converged);
  EXPECT_GT(solved.outcome.fallbacks, 0) << solved.outcome.reason;
}

TEST(Ladder, WarmStartsOfSamplesThatTheLadderSolvedAreTheirSolutions) {
  for (const int feature_ranks : feature_rank_choices()) {
    HardPanel hard(feature_ranks);
    const GivenOptions given(OptionList{{"eq_snes_type", "meanfield"}});
    EquilibriumSolver solver(hard.model.grid.feature(), hard.model.map, HardPanel::p);
    Block z(hard.u), memory(hard.u.size()), slopes(hard.u.size());
    const Outcome first =
        solver.solve(HardPanel::p, hard.u.data(), z.data(), slopes.data(), {memory.data(), false});
    ASSERT_TRUE(first.converged);
    ASSERT_GT(first.fallbacks, 0);
    solver.parameters_changed();
    const Outcome second =
        solver.solve(HardPanel::p, hard.u.data(), z.data(), slopes.data(), {memory.data(), true});
    EXPECT_TRUE(second.converged);
    EXPECT_EQ(second.fallbacks, 0) << second.reason;
    EXPECT_LE(second.products, 4);
  }
}

TEST(Ladder, WithoutItTheChosenSolverFailsByItsReason) {
  for (const int feature_ranks : feature_rank_choices()) {
    HardPanel hard(feature_ranks);
    const GivenOptions given({{"eq_snes_type", "meanfield"},
                              {"eq_ladder", "false"},
                              {"eq_snes_max_it", "8"},
                              {"eq_snes_divergence_tolerance", "1e30"}});
    EquilibriumSolver solver(hard.model.grid.feature(), hard.model.map, HardPanel::p);
    const Solved solved = solve_cold(solver, hard.model.map, HardPanel::p, hard.u);
    EXPECT_FALSE(solved.outcome.converged);
    EXPECT_EQ(solved.outcome.fallbacks, 0);
    EXPECT_EQ(solved.outcome.reason, "too many iterations (DIVERGED_MAX_IT)");
    EXPECT_EQ(solved.outcome.iterations, 8);
    EXPECT_GT(solved.outcome.residual, solver.rtol());
  }
}

TEST(Ladder, OfAdjointsSolvesWhatTheChosenSolverDoesNot) {
  for (const int feature_ranks : feature_rank_choices()) {
    HardPanel hard(feature_ranks);
    const MPI_Comm comm = hard.model.grid.feature();
    const Block z(hard.u.size(), 0.0);
    const Block slopes(hard.u.size(), 1.0);
    const Block rhs = hard.model.random_states(HardPanel::p, 7);
    const OptionList few = {{"adj_ksp_type", "neumann"}, {"adj_ksp_max_it", "20"}};
    {
      const GivenOptions given(few);
      AdjointSolver solver(comm, hard.model.map, HardPanel::p, 1e-12);
      Block lambda(rhs.size());
      const Outcome outcome = solver.solve(HardPanel::p, slopes.data(), rhs.data(), lambda.data());
      expect_contract(outcome,
                      relative_adjoint_residuals(comm, hard.model.map, HardPanel::p, slopes, rhs, lambda),
                      2.001e-12);
      EXPECT_EQ(outcome.fallbacks, HardPanel::p);
      EXPECT_TRUE(
          contains(outcome.reason, "neumann: too many iterations (DIVERGED_ITS), adj_gmres_: CONVERGED"))
          << outcome.reason;
    }
    OptionList alone = few;
    alone.emplace_back("adj_ladder", "false");
    const GivenOptions given(alone);
    AdjointSolver solver(comm, hard.model.map, HardPanel::p, 1e-12);
    Block lambda(rhs.size());
    const Outcome outcome = solver.solve(HardPanel::p, slopes.data(), rhs.data(), lambda.data());
    EXPECT_FALSE(outcome.converged);
    EXPECT_EQ(outcome.reason, "too many iterations (DIVERGED_ITS)");
  }
}

/// All entries of A the same.
void set_weights(ModelOnGrid<Free>& model, double entry) {
  check(VecSet(model.theta.get(), entry));
  model.map.set_parameters(model.theta.get());
}

TEST(Ladder, AnEquationWithoutSolutionFailsOnAllRanksNamingTheWorstSampleAndTheRungs) {
  // z = max(0, Wz + u) with W = 1 1ᵀ/2, u = 1: Σz = mΣz/2 + m has no solution ≥ 0 for m > 2. W = 0.01 1 1ᵀ
  // has.
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<Free> model(feature_ranks, 10);
    const Block u(static_cast<std::size_t>(3 * model.rows()), 1.0);
    for (const char* type : {"meanfield", "picard", "newtonls", "anderson"}) {
      const GivenOptions given({{"eq_snes_type", type},
                                {"eq_snes_max_it", "500"},  // plain iteration overflows
                                {"eq_newton_snes_max_it", "20"},
                                {"eq_anderson_snes_max_it", "60"}});
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(model.grid.feature(), model.map, 3);
      set_weights(model, 0.01);
      EXPECT_TRUE(solve_cold(solver, model.map, 3, u).outcome.converged);
      set_weights(model, 0.5);
      solver.parameters_changed();
      const Solved solved = solve_cold(solver, model.map, 3, u);
      ASSERT_FALSE(solved.outcome.converged);
      std::string message = "nothing was thrown";
      try {
        (void)require(solved.outcome);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::failed);
        message = error.what();
      }
      for (const char* part : {"equilibrium (eq_)", type, "eq_newton_: ", "eq_anderson_: ", "worst sample"})
        EXPECT_TRUE(contains(message, part)) << message;
      set_weights(model, 0.01);
      solver.parameters_changed();
      EXPECT_TRUE(solve_cold(solver, model.map, 3, u).outcome.converged) << "a failure leaves nothing behind";
    }
  }
}

TEST(Ladder, ANotANumberInOneSampleFailsAndTheNextPanelIsSolved) {
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<PointwiseCase<Act::sigmoid, Kind::softmax, Input::plain, 90>> model(feature_ranks, 9);
    const Block u = model.inject(4, model.random_features(4, 3));
    Block broken(u);
    if (model.layout.block().contains(5)) broken[2 * model.rows() + 5 - model.layout.block().begin] = NAN;
    for (const char* type :
         {"meanfield", "picard", "peacemanrachford", "newtonls", "anderson", "ngmres", "nrichardson"}) {
      const GivenOptions given(OptionList{{"eq_snes_type", type}, {"eq_snes_linesearch_type", "basic"}});
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(model.grid.feature(), model.map, 4);
      const Solved failed = solve_cold(solver, model.map, 4, broken);
      EXPECT_FALSE(failed.outcome.converged);
      EXPECT_TRUE(std::isnan(failed.outcome.residual));
      EXPECT_EQ(failed.outcome.worst_sample, 2);
      EXPECT_THROW((void)require(failed.outcome), Error);
      if (std::string(type) == "meanfield" || std::string(type) == "picard") {
        const Solved next = solve_cold(solver, model.map, 4, u);
        EXPECT_TRUE(next.outcome.converged) << next.outcome.reason;
        EXPECT_EQ(next.outcome.fallbacks, 0) << next.outcome.reason;
      }
    }
  }
}

TEST(Ladder, AnAdjointTooLargeForANormFails) {
  ModelOnGrid<TanhSoftmax> model(1, 9);
  const Block slopes(static_cast<std::size_t>(2 * model.rows()), 0.5);
  Block rhs = model.random_states(2, 5);
  for (Index i = 0; i < model.rows(); ++i) rhs[i] *= 1e200;  // its square is infinite
  for (const char* type : {"meanfield", "neumann", "gmres"}) {
    const GivenOptions given(OptionList{{"adj_ksp_type", type}});
    SCOPED_TRACE(given.text());
    AdjointSolver solver(model.grid.feature(), model.map, 2, 1e-12);
    Block lambda(rhs.size());
    EXPECT_FALSE(solver.solve(2, slopes.data(), rhs.data(), lambda.data()).converged);
  }
}

TEST(Ladder, ANotANumberOfAnAdjointFails) {
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 9);
    const Block slopes(static_cast<std::size_t>(3 * model.rows()), 0.5);
    Block rhs = model.random_states(3, 5);
    if (model.layout.block().contains(5)) rhs[model.rows() + 5 - model.layout.block().begin] = NAN;
    for (const char* type : {"meanfield", "neumann", "gmres", "bcgs"}) {
      const GivenOptions given(OptionList{{"adj_ksp_type", type}});
      SCOPED_TRACE(given.text());
      AdjointSolver solver(model.grid.feature(), model.map, 3, 1e-12);
      Block lambda(rhs.size());
      const Outcome outcome = solver.solve(3, slopes.data(), rhs.data(), lambda.data());
      EXPECT_FALSE(outcome.converged);
      EXPECT_TRUE(std::isnan(outcome.residual));
    }
  }
}

TEST(OutcomeTest, MergedOnesHaveTheWorstResidualAndANotANumberStays) {
  const auto panel = [](double residual, Index worst) {
    return Outcome{
        .solve = "s", .reason = "r", .converged = true, .residual = residual, .worst_sample = worst};
  };
  Outcome all;
  all.merge(panel(1e-13, 1), 0);
  all.merge(panel(3e-13, 2), 10);
  all.merge(panel(2e-13, 3), 20);
  EXPECT_EQ(all.residual, 3e-13);
  EXPECT_EQ(all.worst_sample, 12);
  EXPECT_TRUE(all.converged);
  Outcome broken = panel(NAN, 4);
  broken.converged = false;
  all.merge(broken, 30);
  all.merge(panel(1.0, 5), 40);
  EXPECT_TRUE(std::isnan(all.residual));
  EXPECT_EQ(all.worst_sample, 34);
  EXPECT_FALSE(all.converged);
}

/// A panel with columns that need very different numbers of iterations: a large injection saturates tanh, so
/// its slopes are small.
Block of_different_difficulty(const ModelOnGrid<TanhSoftmax>& model, Index p) {
  Block u = model.random_states(p, 3);
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < model.rows(); ++i)
      u[c * model.rows() + i] *= 0.05 * std::pow(4.0, static_cast<double>(c));
  return u;
}

TEST(Compaction, ColumnsOfAPanelEqualColumnsThatAreSolvedAlone) {
  const Index p = 5;
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
    const Block u = of_different_difficulty(model, p);
    const Block rhs = model.random_states(p, 5);
    for (const char* type : {"meanfield", "picard", "peacemanrachford", "newtonls"}) {
      const bool own = std::string(type) == "meanfield";
      const GivenOptions given({{"eq_snes_type", type}, {"adj_ksp_type", own ? type : "neumann"}});
      SCOPED_TRACE(given.text());
      const auto solve = [&](Index columns, const Block& injection, const Block& r, Block& lambda) {
        EquilibriumSolver solver(model.grid.feature(), model.map, columns);
        Solved solved = solve_cold(solver, model.map, columns, injection);
        (void)require(solved.outcome);
        AdjointSolver adjoint(model.grid.feature(), model.map, columns, 1e-12);
        lambda.resize(r.size());
        (void)require(adjoint.solve(columns, solved.slopes.data(), r.data(), lambda.data()));
        return solved.x;
      };
      Block together;
      const Block z = solve(p, u, rhs, together);
      for (Index c = 0; c < p; ++c) {
        const auto part = [&](const Block& block) {
          return Block(block.begin() + c * model.rows(), block.begin() + (c + 1) * model.rows());
        };
        Block alone;
        const Block own_state = solve(1, part(u), part(rhs), alone);
        EXPECT_LE(relative_difference(model.grid.feature(), part(z), own_state), 1e-10) << "column " << c;
        EXPECT_LE(relative_difference(model.grid.feature(), part(together), alone), 1e-10) << "column " << c;
      }
    }
  }
}

TEST(Compaction, FinishedColumnsCostNoMoreProducts) {
  const Index p = 5;
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
    const Block u = of_different_difficulty(model, p);
    const GivenOptions given(OptionList{{"eq_snes_type", "picard"}, {"adj_ksp_type", "neumann"}});
    EquilibriumSolver solver(model.grid.feature(), model.map, p);
    Index before = model.map.columns_multiplied();
    const Solved solved = solve_cold(solver, model.map, p, u);
    ASSERT_TRUE(solved.outcome.converged);
    Index sum = 0;
    for (Index c = 0; c < p; ++c) {
      EquilibriumSolver single(model.grid.feature(), model.map, 1);
      const Block column(u.begin() + c * model.rows(), u.begin() + (c + 1) * model.rows());
      const Solved alone = solve_cold(single, model.map, 1, column);
      EXPECT_EQ(alone.outcome.fallbacks, 0);
      sum += alone.outcome.products;
    }
    const Index of_singles = sum;
    const Index of_both = model.map.columns_multiplied() - before;
    EXPECT_EQ(of_both, 2 * of_singles) << "a panel costs what its columns cost";
    EXPECT_LT(of_singles, p * solved.outcome.products * 3 / 4) << "and the slowest costs more than the rest";
    AdjointSolver adjoint(model.grid.feature(), model.map, p, 1e-12);
    const Block rhs = model.random_states(p, 5);
    Block lambda(rhs.size());
    before = model.map.columns_multiplied();
    const Outcome outcome = adjoint.solve(p, solved.slopes.data(), rhs.data(), lambda.data());
    EXPECT_TRUE(outcome.converged);
    EXPECT_LT(model.map.columns_multiplied() - before, p * outcome.products * 3 / 4);
  }
}

TEST(Compaction, OfTheMeanFieldIterationSavesProductsToo) {
  const Index p = 5;
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<PointwiseCase<Act::sigmoid, Kind::softmax, Input::plain, 90>> model(feature_ranks, 14);
    const Block u = model.random_states(p, 3);
    const GivenOptions given(OptionList{{"eq_snes_type", "meanfield"}});
    EquilibriumSolver solver(model.grid.feature(), model.map, p);
    Block z(u), slopes(u.size()), memory(u.size());
    const Outcome cold = solver.solve(p, u.data(), z.data(), slopes.data(), {memory.data(), false});
    ASSERT_TRUE(cold.converged);
    // Two columns start at their equilibrium, the other columns at 0.
    std::fill(memory.begin() + 2 * model.rows(), memory.end(), 0.0);
    const Index before = solver.columns_multiplied();
    const Outcome mixed = solver.solve(p, u.data(), z.data(), slopes.data(), {memory.data(), true});
    ASSERT_TRUE(mixed.converged);
    ASSERT_EQ(mixed.fallbacks, 0);
    ASSERT_GE(mixed.iterations, 5);
    EXPECT_LE(solver.columns_multiplied() - before, (p - 2) * mixed.iterations + 2 * 2);
  }
}

TEST(Memory, OfTheSameProblemSavesProductsAndChangesNothing) {
  const Index p = 6;
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
    const Block u = model.inject(p, model.random_features(p, 3));
    for (const char* type : {"meanfield", "picard", "peacemanrachford", "newtonls", "anderson"}) {
      const GivenOptions given(OptionList{{"eq_snes_type", type}});
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(model.grid.feature(), model.map, p);
      Block z(u), memory(u.size()), slopes(u.size());
      const Outcome first = solver.solve(p, u.data(), z.data(), slopes.data(), {memory.data(), false});
      const Block cold(z);
      solver.parameters_changed();
      const Outcome second = solver.solve(p, u.data(), z.data(), slopes.data(), {memory.data(), true});
      expect_contract(second, relative_residuals(model.grid.feature(), model.map, p, u, z),
                      1.001 * solver.rtol());
      EXPECT_LE(relative_difference(model.grid.feature(), z, cold), 1e-10);
      EXPECT_LT(second.products, first.products);
      if (std::string(type) != "peacemanrachford") {  // the auxiliary variable of this type is not stored
        EXPECT_LE(second.products, 4);
      }
    }
  }
}

}  // namespace
}  // namespace poise
