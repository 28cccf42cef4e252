// The solver types of Poise as a user of PETSc sees them: monitors, histories, reasons, tolerances, counts,
// views, and combinations with types of PETSc.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>

#include "poise/solve/panel_snes.hpp"
#include "solver_runs.hpp"

namespace {
std::size_t large_allocations = 0;
}

// Counts allocations as large as a panel; small ones such as messages do not matter.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size >= 512) ++large_allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using testing_support::GivenOptions;
using testing_support::OptionList;

constexpr Index p = 5;
constexpr Index width = 8;  // columns of a panel; some are not used

/// A model, an injection, and one SNES of a type on it.
template <class Model>
struct OnePanel {
  OnePanel(int feature_ranks, const std::string& type, OptionList options = {})
      : model(feature_ranks, 14),
        u(model.inject(p, model.random_features(p, 3))),
        given(with_type(std::move(options), type)),
        mean(std::make_shared<MeanField>(model.map.pointwise_form()->weights,
                                         model.map.pointwise_form()->column_sum)),
        panel(model.grid.feature(), model.map, mean, width, PanelSnes::Defaults{.rtol = 1e-11}) {}
  static OptionList with_type(OptionList options, const std::string& type) {
    options.emplace_back("eq_snes_type", type);
    return options;
  }
  Outcome solve() {
    z = u;
    return panel.solve(p, u.data(), z.data());
  }
  [[nodiscard]] SNESConvergedReason reason() const {
    SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
    check(SNESGetConvergedReason(panel.snes(), &reason));
    return reason;
  }
  ModelOnGrid<Model> model;
  Block u, z;
  GivenOptions given;
  std::shared_ptr<MeanField> mean;
  PanelSnes panel;
};

const std::vector<std::string> softmax_types{"meanfield", "picard", "perron", "peacemanrachford"};

struct Seen {
  std::vector<PetscInt> iterations;
  std::vector<double> residuals;
};

PetscErrorCode remember(SNES, PetscInt iteration, PetscReal residual, void* seen) {
  static_cast<Seen*>(seen)->iterations.push_back(iteration);
  static_cast<Seen*>(seen)->residuals.push_back(residual);
  return static_cast<PetscErrorCode>(0);
}

PetscErrorCode remember_linear(KSP, PetscInt iteration, PetscReal residual, void* seen) {
  return remember(nullptr, iteration, residual, seen);
}

TEST(SnesTypes, TellMonitorAndHistoryTheWorstResidualOfEveryIteration) {
  for (const int feature_ranks : feature_rank_choices())
    for (const std::string& type : softmax_types) {
      SCOPED_TRACE(type);
      OnePanel<TanhSoftmax> one(feature_ranks, type);
      Seen seen;
      check(SNESMonitorSet(one.panel.snes(), remember, &seen, nullptr));
      check(SNESSetConvergenceHistory(one.panel.snes(), nullptr, nullptr, PETSC_DECIDE, PETSC_TRUE));
      const Outcome outcome = one.solve();
      ASSERT_TRUE(outcome.converged) << outcome.reason;
      EXPECT_EQ(one.reason(), SNES_CONVERGED_FNORM_RELATIVE);
      PetscReal* history = nullptr;
      PetscInt length = 0;
      check(SNESGetConvergenceHistory(one.panel.snes(), &history, nullptr, &length));
      ASSERT_EQ(static_cast<std::size_t>(length), seen.residuals.size());
      ASSERT_GT(length, 3);
      for (PetscInt k = 0; k < length; ++k) {
        EXPECT_EQ(history[k], seen.residuals[static_cast<std::size_t>(k)]);
        EXPECT_EQ(seen.iterations[static_cast<std::size_t>(k)], k);
      }
      EXPECT_EQ(outcome.iterations, seen.iterations.back());
      EXPECT_LE(seen.residuals.back(), 1e-11);
      EXPECT_GT(seen.residuals.front(), 1e-6);
    }
}

TEST(SnesTypes, LeaveTheResidualOfTheirSolutionAndCountItsEvaluations) {
  for (const int feature_ranks : feature_rank_choices())
    for (const std::string& type : softmax_types) {
      SCOPED_TRACE(type);
      OnePanel<TanhSoftmax> one(feature_ranks, type);
      const Outcome outcome = one.solve();
      ASSERT_TRUE(outcome.converged);
      Vec f = nullptr;
      PetscReal norm = 0.0;
      check(SNESGetFunction(one.panel.snes(), &f, nullptr, nullptr));
      check(VecNorm(f, NORM_2, &norm));
      PetscReal left = 0.0;
      check(SNESGetFunctionNorm(one.panel.snes(), &left));
      EXPECT_NEAR(left, norm, 1e-13);
      Block h(one.z.size());
      one.model.map.apply(p, one.z.data(), one.u.data(), h.data());
      const ReadArray entries(f);
      for (std::size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(entries[i], one.z[i] - h[i], 1e-14);
      PetscInt evaluations = 0;
      check(SNESGetNumberFunctionEvals(one.panel.snes(), &evaluations));
      const bool chord = type == "meanfield" || type == "peacemanrachford";
      EXPECT_EQ(evaluations, chord ? 1 : outcome.iterations + 2);
    }
}

TEST(SnesTypes, HonourTheMostIterationsAndEvaluationsAndTheTestThatIsSkipped) {
  {
    OnePanel<TanhSoftmax> few(1, "picard", {{"eq_snes_max_it", "3"}});
    EXPECT_FALSE(few.solve().converged);
    EXPECT_EQ(few.reason(), SNES_DIVERGED_MAX_IT);
  }
  {
    OnePanel<TanhSoftmax> evaluations(1, "picard", {{"eq_snes_max_funcs", "4"}});
    EXPECT_FALSE(evaluations.solve().converged);
    EXPECT_EQ(evaluations.reason(), SNES_DIVERGED_FUNCTION_COUNT);
  }
  OnePanel<TanhSoftmax> fixed(1, "picard", {{"eq_snes_max_it", "7"}, {"eq_snes_convergence_test", "skip"}});
  const Outcome outcome = fixed.solve();
  EXPECT_EQ(fixed.reason(), SNES_CONVERGED_ITS);
  EXPECT_EQ(outcome.iterations, 7);
  EXPECT_FALSE(outcome.converged) << "seven steps are not enough, whatever PETSc was told";
}

// z = max(0, Wz + u) with W = 1 1ᵀ/2, u = 1 has no solution for m > 2: the iterates grow without end.
using Growing = PointwiseCase<Act::relu, Kind::free, Input::plain, 100>;

TEST(SnesTypes, GiveUpSamplesThatGrowByTheDivergenceTolerance) {
  for (const int feature_ranks : feature_rank_choices()) {
    PetscInt iterations[2] = {0, 0};
    for (const int k : {0, 1}) {
      OnePanel<Growing> one(feature_ranks, "picard",
                            {{"eq_snes_divergence_tolerance", k == 0 ? "1e4" : "1e12"}});
      check(VecSet(one.model.theta.get(), 0.5));
      one.model.map.set_parameters(one.model.theta.get());
      std::fill(one.u.begin(), one.u.end(), 1.0);
      const Outcome outcome = one.solve();
      EXPECT_FALSE(outcome.converged);
      EXPECT_EQ(one.reason(), SNES_DIVERGED_DTOL) << outcome.reason;
      EXPECT_EQ(outcome.reason, "divergence (DIVERGED_DTOL)");
      check(SNESGetIterationNumber(one.panel.snes(), &iterations[k]));
    }
    EXPECT_LE(iterations[0], 7);
    EXPECT_GT(iterations[1], iterations[0]);
  }
}

TEST(SnesTypes, ViewTheirTypeAndSolveAgainAfterAReset) {
  for (const std::string& type : softmax_types) {
    SCOPED_TRACE(type);
    OnePanel<TanhSoftmax> one(1, type, {{"eq_snes_patient", "false"}});
    ASSERT_TRUE(one.solve().converged);
    const Block first = one.z;
    const std::string path = testing::TempDir() + "poise_view_" + std::to_string(getpid());
    {
      PetscViewer viewer = nullptr;
      check(PetscViewerASCIIOpen(PETSC_COMM_SELF, path.c_str(), &viewer));
      check(SNESView(one.panel.snes(), viewer));
      check(PetscViewerDestroy(&viewer));
    }
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::remove(path.c_str());
    EXPECT_TRUE(contains(text, "type: " + type)) << text;
    EXPECT_TRUE(contains(text, "slow samples are left to the next solver")) << text;
    check(SNESReset(one.panel.snes()));
    ASSERT_TRUE(one.solve().converged);
    EXPECT_EQ(one.z, first);
  }
}

TEST(SnesTypes, NameANumberThatIsNotFinite) {
  for (const std::string& type : softmax_types) {
    SCOPED_TRACE(type);
    OnePanel<TanhSoftmax> broken(1, type);
    broken.u[2] = std::numeric_limits<double>::quiet_NaN();
    const Outcome outcome = broken.solve();
    EXPECT_FALSE(outcome.converged);
    EXPECT_LT(broken.reason(), 0);
    EXPECT_TRUE(contains(outcome.reason, "not a number")) << outcome.reason;
    for (Index c = 1; c < p; ++c) EXPECT_TRUE(broken.panel.solved(c)) << "the other samples";
  }
}

TEST(SnesTypes, AColdSolveAfterTheFirstTakesNoMemory) {
  for (const std::string& type : softmax_types) {
    SCOPED_TRACE(type);
    OnePanel<TanhSoftmax> one(1, type);
    ASSERT_TRUE(one.solve().converged);
    const std::size_t before = large_allocations;
    ASSERT_TRUE(one.solve().converged);
    EXPECT_EQ(large_allocations, before);
  }
}

TEST(SnesTypes, PerronNeedsAFewProductsWherePlainIterationNeedsHundreds) {
  using Stiff = PointwiseCase<Act::tanh, Kind::softmax, Input::plain, 99>;
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<Stiff> model(feature_ranks, 60);
    Block u = model.random_states(p, 3);
    for (double& entry : u) entry *= 0.02;
    Index products[2] = {0, 0};
    Block found[2];
    for (const int k : {0, 1}) {
      const GivenOptions given({{"eq_snes_type", k == 0 ? "perron" : "picard"}, {"eq_snes_max_it", "5000"}});
      EquilibriumSolver solver(model.grid.feature(), model.map, p, 1e-8);
      const Solved solved = solve_cold(solver, model.map, p, u);
      ASSERT_TRUE(solved.outcome.converged) << solved.outcome.reason;
      EXPECT_EQ(solved.outcome.fallbacks, 0);
      products[k] = solved.outcome.products;
      found[k] = solved.x;
    }
    EXPECT_LE(relative_difference(model.grid.feature(), found[0], found[1]), 1e-5);
    EXPECT_LE(products[0], 20);
    EXPECT_GE(products[1], 10 * products[0]);
  }
}

/// Solves of KSP types with the operator and with its transpose.
TEST(KspTypes, SolveBothEquationsWithMonitorHistoryAndReason) {
  for (const int feature_ranks : feature_rank_choices())
    for (const std::string type :
         {"meanfield", "neumann", "neumann perron", "neumann mixed", "meanfield mixed"}) {
      SCOPED_TRACE(type);
      ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
      const Block slopes = model.slopes(p, model.random_states(p, 4), model.random_states(p, 5));
      const Block rhs = model.random_states(p, 7);
      OptionList options{{"adj_ksp_type", type.substr(0, type.find(' '))}};
      if (type == "neumann perron") options.emplace_back("adj_pc_type", "perron");
      if (contains(type, "mixed")) options.emplace_back("adj_ksp_mixing", "4");
      const GivenOptions given(options);
      const PointwiseForm form = *model.map.pointwise_form();
      PanelOperator op(model.grid.feature(), model.map,
                       std::make_shared<MeanField>(form.weights, form.column_sum), width, true);
      ColumnSolver solver(
          model.grid.feature(), model.rows(), width, [&](const double* v, double* out) { op.apply(v, out); },
          [&](const double* v, double* out) { op.apply_transpose(v, out); }, "adj_", "test", 1e-11,
          ColumnSolver::Defaults(), &op);
      op.linearise(p, slopes.data());
      Seen seen;
      check(KSPMonitorSet(solver.ksp(), remember_linear, &seen, nullptr));
      check(KSPSetResidualHistory(solver.ksp(), nullptr, PETSC_DECIDE, PETSC_TRUE));
      Block x(rhs.size()), image(rhs.size());
      const Outcome outcome = solver.solve(p, rhs.data(), x.data());
      ASSERT_TRUE(outcome.converged) << outcome.reason;
      op.apply(x.data(), image.data());
      EXPECT_LE(relative_difference(model.grid.feature(), image, rhs), 1e-9);
      PetscInt length = 0;
      const PetscReal* history = nullptr;
      check(KSPGetResidualHistory(solver.ksp(), &history, &length));
      ASSERT_EQ(static_cast<std::size_t>(length), seen.residuals.size());
      EXPECT_EQ(seen.iterations.front(), 0);
      EXPECT_EQ(outcome.iterations, seen.iterations.back());
      EXPECT_LE(seen.residuals.back(), 1e-11);

      const VecHandle b = create_vec(model.grid.feature(), model.rows() * width);
      const VecHandle y = duplicate(b.get());
      check(VecSet(b.get(), 0.0));
      std::copy(rhs.begin(), rhs.end(), WriteArray(b.get()).data());
      check(KSPSolveTranspose(solver.ksp(), b.get(), y.get()));
      op.apply_transpose(ReadArray(y.get()).data(), image.data());
      EXPECT_LE(relative_difference(model.grid.feature(), image, rhs), 1e-9);
    }
}

TEST(Composition, OwnTypesWorkInsideOfPetscsTypesAndTheOtherWayRound) {
  const std::vector<OptionList> compositions{
      {{"eq_snes_type", "composite"}, {"eq_snes_composite_sneses", "meanfield,anderson"}},
      {{"eq_snes_type", "composite"},
       {"eq_snes_composite_sneses", "picard,perron"},
       {"eq_snes_composite_type", "multiplicative"},
       {"eq_sub_0_snes_max_it", "3"}},
      {{"eq_snes_type", "ngmres"}, {"eq_npc_snes_type", "picard"}, {"eq_npc_snes_max_it", "2"}},
      {{"eq_snes_type", "qn"}, {"eq_npc_snes_type", "picard"}, {"eq_npc_snes_max_it", "2"}},
      {{"eq_snes_type", "nrichardson"}, {"eq_npc_snes_type", "perron"}, {"eq_npc_snes_max_it", "2"}},
      {{"eq_snes_type", "ngmres"}, {"eq_npc_snes_type", "meanfield"}, {"eq_npc_snes_max_it", "1"}},
      {{"eq_snes_type", "newtonls"}, {"eq_ksp_type", "meanfield"}},
      {{"eq_snes_type", "newtonls"}, {"eq_ksp_type", "neumann"}, {"eq_pc_type", "perron"}},
      {{"eq_snes_type", "newtonls"}, {"eq_ksp_type", "fgmres"}, {"eq_pc_type", "perron"}},
      {{"eq_snes_type", "newtonls"}, {"eq_ksp_type", "bcgs"}, {"eq_pc_type", "meanfield"}},
      {{"eq_snes_type", "perron"}, {"eq_snes_mixing", "3"}},
      {{"eq_snes_type", "picard"}, {"eq_snes_mixing", "3"}},
      {{"eq_snes_type", "meanfield"}, {"eq_snes_mixing", "5"}}};
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 14);
    const Block u = model.inject(p, model.random_features(p, 3));
    for (OptionList options : compositions) {
      options.emplace_back("eq_ladder", "false");
      const GivenOptions given(options);
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(model.grid.feature(), model.map, width);
      const Index before = model.map.columns_multiplied();
      const Solved solved = solve_cold(solver, model.map, p, u);
      const Index multiplied = model.map.columns_multiplied() - before + solver.columns_multiplied();
      expect_contract(solved.outcome, relative_residuals(model.grid.feature(), model.map, p, u, solved.x),
                      1.2 * solver.rtol());
      EXPECT_LE(relative_difference(model.grid.feature(), solved.slopes, model.slopes(p, solved.x, u)),
                1e-12);
      // The count has all products; norms and the Perron vector need some with one column.
      constexpr Index single_columns = 64;
      EXPECT_GE(solved.outcome.products * p + single_columns, multiplied);
    }
  }
}

TEST(Composition, AMemberThatDoesNotSuitTheModelIsRefusedByItsOwnOption) {
  const std::vector<std::pair<OptionList, std::string>> refused{
      {{{"eq_snes_type", "composite"}, {"eq_snes_composite_sneses", "meanfield,forwardbackward"}},
       "-eq_sub_1_snes_type forwardbackward is for -activation relu or identity, and needs monotone weights "
       "or "
       "-eq_sub_1_alpha"},
      {{{"eq_snes_type", "ngmres"}, {"eq_npc_snes_type", "forwardbackward"}},
       "-eq_npc_snes_type forwardbackward"},
      {{{"eq_snes_type", "composite"}, {"eq_snes_composite_sneses", "meanfield,foo"}}, "foo"},
      {{{"eq_snes_type", "newtonls"}, {"eq_ksp_type", "neumann"}, {"eq_pc_type", "meanfield"}},
       "-eq_ksp_type neumann takes the pc_type none or perron"},
      {{{"eq_snes_type", "neumann"}}, "SNES type neumann"},
      {{{"eq_snes_type", "meanfield"}, {"eq_snes_mixing", "9"}},
       "option -eq_snes_mixing: value '9' is not allowed; give a number in [0, 8]"}};
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 6);
    for (const auto& [options, text] : refused) {
      const GivenOptions given(options);
      const std::string message =
          refusal([&] { EquilibriumSolver solver(model.grid.feature(), model.map, 2); });
      EXPECT_TRUE(contains(message, text)) << message;
    }
  }
  ModelOnGrid<ReluMonotone> monotone(1, 6);
  const GivenOptions given(OptionList{{"eq_snes_type", "perron"}});
  const std::string message =
      refusal([&] { EquilibriumSolver solver(monotone.grid.feature(), monotone.map, 2); });
  EXPECT_TRUE(contains(message, "-eq_snes_type perron needs -weights softmax")) << message;
}

TEST(Composition, ATypeOfTheOtherClassIsUnknown) {
  ModelOnGrid<TanhSoftmax> model(1, 6);
  const GivenOptions given(OptionList{{"adj_ksp_type", "picard"}});
  const std::string message =
      refusal([&] { AdjointSolver solver(model.grid.feature(), model.map, 2, 1e-12); });
  EXPECT_TRUE(contains(message, "KSP type picard")) << message;
}

TEST(Composition, AnOwnTypeUnderThePrefixOfAnotherSolverIsRefusedByName) {
  for (const auto& [name, value] : OptionList{{"other_ksp_type", "meanfield"}, {"other_pc_type", "perron"}}) {
    const GivenOptions given(OptionList{{name, value}});
    const LinearMap identity = [](const double* x, double* y) { *y = *x; };
    const std::string message = refusal(
        [&] { ColumnSolver solver(MPI_COMM_SELF, 1, 1, identity, identity, "other_", "test", 1e-8); });
    EXPECT_TRUE(contains(message, "-" + name + " " + value + " is for the equilibria and adjoints"))
        << message;
  }
}

}  // namespace
}  // namespace poise
