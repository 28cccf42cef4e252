// Every -eq_snes_type and -adj_ksp_type against the equations that they solve and against each other.
#include <gtest/gtest.h>

#include "solver_runs.hpp"
#include "two_layer_map.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using testing_support::GivenOptions;
using testing_support::OptionList;

constexpr Index panel_columns = 8;
constexpr Index used_columns = 5;

const OptionList newton = {{"eq_snes_type", "newtonls"}};
const OptionList newton_mean_field = {{"eq_snes_type", "newtonls"}, {"eq_pc_type", "meanfield"}};
const OptionList newton_sample_lu = {{"eq_snes_type", "newtonls"}, {"eq_pc_type", "samplelu"}};
const OptionList richardson = {{"eq_snes_type", "nrichardson"}, {"eq_snes_linesearch_type", "basic"}};
OptionList type(const std::string& name) {
  return {{"eq_snes_type", name}};
}

/// Options of a solver that can find the equilibria of a model.
template <class Model>
std::vector<OptionList> suitable_types();
template <>
std::vector<OptionList> suitable_types<Linear>() {
  return {type("meanfield"),
          type("picard"),
          type("perron"),
          newton,
          newton_mean_field,
          type("peacemanrachford"),
          {{"eq_snes_type", "forwardbackward"}, {"eq_alpha", "0.7"}},
          type("anderson"),
          type("ngmres"),
          type("qn"),
          richardson};
}
template <>
std::vector<OptionList> suitable_types<TanhSoftmax>() {
  return {type("meanfield"),        type("picard"),   type("perron"), newton,     newton_mean_field,
          type("peacemanrachford"), type("anderson"), type("ngmres"), type("qn"), richardson};
}
template <>
std::vector<OptionList> suitable_types<ReluMonotone>() {
  return {type("forwardbackward"),
          type("peacemanrachford"),
          {{"eq_snes_type", "peacemanrachford"}, {"eq_alpha", "0.5"}},
          newton,
          newton_mean_field};
}
template <>
std::vector<OptionList> suitable_types<SkewMonotone>() {
  return {type("peacemanrachford")};  // full Newton steps need not converge
}

template <class Model>
class SolverTypes : public testing::Test {
 protected:
  template <class Body>
  void on_every_grid(Body body) {
    for (const int feature_ranks : feature_rank_choices())
      for (const Index m : {3, 14}) {
        SCOPED_TRACE("feature ranks " + std::to_string(feature_ranks) + ", m " + std::to_string(m));
        ModelOnGrid<Model> model(feature_ranks, m);
        body(model);
      }
  }
};
struct CaseNames {
  template <class Model>
  static std::string GetName(int index) {
    return Model::name() + "_" + std::to_string(index);
  }
};
using Cases = testing::Types<Linear, TanhSoftmax, ReluMonotone, SkewMonotone>;
TYPED_TEST_SUITE(SolverTypes, Cases, CaseNames);

TYPED_TEST(SolverTypes, AllFindTheSameEquilibriaWithoutALadder) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const MPI_Comm comm = model.grid.feature();
    const Block u = model.inject(used_columns, model.random_features(used_columns, 3));
    Block reference;
    auto types = suitable_types<TypeParam>();
    if (model.grid.feature_ranks() == 1) types.push_back(newton_sample_lu);
    for (OptionList options : types) {
      options.emplace_back("eq_ladder", "false");
      options.emplace_back("eq_snes_max_it", "5000");
      options.emplace_back("eq_snes_atol", "1e-14");  // an equilibrium of relu may be 0
      const GivenOptions given(options);
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(comm, model.map, panel_columns);
      EXPECT_EQ(solver.type(), options[0].second);
      const Solved solved = solve_cold(solver, model.map, used_columns, u);
      EXPECT_EQ(solved.outcome.fallbacks, 0);
      EXPECT_GT(solved.outcome.products, 0);
      expect_contract(solved.outcome, relative_residuals(comm, model.map, used_columns, u, solved.x),
                      1.2 * solver.rtol());
      const Block slopes = model.slopes(used_columns, solved.x, u);
      EXPECT_LE(relative_difference(comm, solved.slopes, slopes), 1e-12) << "slopes at the equilibria";
      if (reference.empty()) reference = solved.x;
      EXPECT_LE(relative_difference(comm, solved.x, reference), 1e-9);
    }
  });
}

/// Equilibria of any of the models: this splitting converges for all models.
template <class Model>
Solved equilibria_of(ModelOnGrid<Model>& model, const Block& u) {
  const GivenOptions given({{"eq_snes_type", "peacemanrachford"}, {"eq_snes_max_it", "5000"}});
  EquilibriumSolver solver(model.grid.feature(), model.map, panel_columns);
  return solve_cold(solver, model.map, used_columns, u);
}

const OptionList gmres = {{"adj_ksp_type", "gmres"}};

TYPED_TEST(SolverTypes, AllFindTheSameAdjointsWithoutALadder) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const MPI_Comm comm = model.grid.feature();
    const Block u = model.inject(used_columns, model.random_features(used_columns, 3));
    const Solved state = equilibria_of(model, u);
    require(state.outcome);
    const Block rhs = model.random_states(used_columns, 5);
    std::vector<OptionList> types = {gmres,
                                     {{"adj_ksp_type", "bcgs"}},
                                     {{"adj_ksp_type", "gmres"}, {"adj_pc_type", "meanfield"}},
                                     {{"adj_ksp_type", "bcgs"}, {"adj_pc_type", "meanfield"}}};
    const bool contraction = model.map.certificate().norm != "monotone";
    if (contraction) types.push_back(OptionList{{"adj_ksp_type", "meanfield"}});
    if (contraction) types.push_back({{"adj_ksp_type", "neumann"}});
    if (contraction && model.map.pointwise_form()->column_sum > 0.0)
      for (const char* ksp : {"neumann", "gmres"})
        types.push_back({{"adj_ksp_type", ksp}, {"adj_pc_type", "perron"}});
    if (model.grid.feature_ranks() == 1)
      types.push_back({{"adj_ksp_type", "preonly"}, {"adj_pc_type", "samplelu"}});
    Block reference;
    for (OptionList options : types) {
      options.emplace_back("adj_ladder", "false");
      const GivenOptions given(options);
      SCOPED_TRACE(given.text());
      AdjointSolver solver(comm, model.map, panel_columns, 1e-12);
      Solved solved{{}, Block(rhs.size()), {}};
      solved.outcome = solver.solve(used_columns, state.slopes.data(), rhs.data(), solved.x.data());
      expect_contract(solved.outcome,
                      relative_adjoint_residuals(comm, model.map, used_columns, state.slopes, rhs, solved.x),
                      2.001e-12);
      if (reference.empty()) reference = solved.x;
      EXPECT_LE(relative_difference(comm, solved.x, reference), 1e-9);
    }
  });
}

TYPED_TEST(SolverTypes, AdjointFromANearbyStartIsTheSame) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const MPI_Comm comm = model.grid.feature();
    const Block u = model.inject(used_columns, model.random_features(used_columns, 3));
    const Solved state = equilibria_of(model, u);
    const Block rhs = model.random_states(used_columns, 5);
    const bool contraction = model.map.certificate().norm != "monotone";
    for (const std::string name : {"gmres", "meanfield", "neumann"}) {
      if (!contraction && name != "gmres") continue;
      const GivenOptions given(OptionList{{"adj_ksp_type", name}});
      SCOPED_TRACE(given.text());
      AdjointSolver solver(comm, model.map, panel_columns, 1e-12);
      Block cold(rhs.size());
      const Outcome first = solver.solve(used_columns, state.slopes.data(), rhs.data(), cold.data());
      Block warm(cold);
      for (std::size_t i = 0; i < warm.size(); ++i) warm[i] *= 1.0 + 1e-9;
      const Outcome second = solver.solve(used_columns, state.slopes.data(), rhs.data(), warm.data(), true);
      ASSERT_TRUE(first.converged && second.converged);
      EXPECT_LE(relative_difference(comm, warm, cold), 1e-10);
      EXPECT_LE(second.products, first.products + 1) << "one for the residual of the start";
      if (model.layout.width() > 3 && !model.map.linear()) {
        EXPECT_LT(second.products, first.products);
      }
    }
  });
}

template <class Model>
std::string equilibrium_refusal(ModelOnGrid<Model>& model, const OptionList& options) {
  const GivenOptions given(options);
  return refusal([&] {
    EquilibriumSolver solver(model.grid.feature(), model.map, 2);
    const Block u = model.inject(2, model.random_features(2, 3));
    (void)solve_cold(solver, model.map, 2, u);
  });
}

TEST(SolverRefusals, ForwardBackwardNamesTheActivationsAndWeightsThatItIsFor) {
  for (const int feature_ranks : feature_rank_choices()) {
    ModelOnGrid<TanhSoftmax> tanh(feature_ranks, 6);
    ModelOnGrid<Linear> linear(feature_ranks, 6);
    for (const std::string& message : {equilibrium_refusal(tanh, type("forwardbackward")),
                                       equilibrium_refusal(linear, type("forwardbackward"))}) {
      EXPECT_TRUE(contains(message, "-eq_snes_type forwardbackward")) << message;
      EXPECT_TRUE(contains(message, "relu or identity")) << message;
    }
  }
}

TEST(SolverRefusals, PeacemanRachfordOfOtherActivationsHasStepOneAlone) {
  ModelOnGrid<SkewMonotone> tanh(1, 6);
  EXPECT_EQ(equilibrium_refusal(tanh, {{"eq_snes_type", "peacemanrachford"}, {"eq_alpha", "1"}}), "accepted");
  const std::string message =
      equilibrium_refusal(tanh, {{"eq_snes_type", "peacemanrachford"}, {"eq_alpha", "2"}});
  EXPECT_TRUE(contains(message, "-eq_alpha")) << message;
}

TEST(SolverRefusals, SampleLUNeedsAllRowsOnOneRank) {
  for (const int feature_ranks : feature_rank_choices()) {
    if (feature_ranks == 1) continue;
    ModelOnGrid<TanhSoftmax> model(feature_ranks, 6);
    const std::string message = equilibrium_refusal(model, newton_sample_lu);
    EXPECT_TRUE(contains(message, "-grid_feature_ranks 1")) << message;
  }
}

/// A map without the form a(Wz + u).
class OtherMaps : public testing::Test {
 protected:
  template <class Body>
  void on_every_grid(Body body) {
    for (const int feature_ranks : feature_rank_choices())
      for (const auto& [m, k] : {std::pair<Index, Index>{11, 6}, {5, 6}, {2, 9}}) {
        SCOPED_TRACE("feature ranks " + std::to_string(feature_ranks) + ", m " + std::to_string(m));
        const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
        const TwoLayerMap map(grid, m, k);
        const auto offsets = grid.feature_offsets(m);
        const auto f = static_cast<std::size_t>(grid.feature_index());
        const Range rows{offsets[f], offsets[f + 1]};
        body(grid, map, rows);
      }
  }
  static Block random_block(const Range& rows, Index p, std::uint64_t seed) {
    return ModelOnGrid<Linear>::random_block(rows, p, seed);
  }
};

TEST_F(OtherMaps, HaveTheSameEquilibriaFromEverySolver) {
  on_every_grid([](const ProcessGrid& grid, const TwoLayerMap& map, const Range& rows) {
    const Block u = random_block(rows, used_columns, 3);
    Block reference;
    for (OptionList options :
         {OptionList{}, type("picard"), newton, type("anderson"), type("ngmres"), type("qn"), richardson}) {
      options.emplace_back("eq_ladder", "false");
      const GivenOptions given(options);
      SCOPED_TRACE(given.text());
      EquilibriumSolver solver(grid.feature(), map, panel_columns);
      EXPECT_EQ(solver.mean_field(), nullptr);
      const Solved solved = solve_cold(solver, map, used_columns, u);
      expect_contract(solved.outcome, relative_residuals(grid.feature(), map, used_columns, u, solved.x),
                      1.001 * solver.rtol());
      if (reference.empty()) reference = solved.x;
      EXPECT_LE(relative_difference(grid.feature(), solved.x, reference), 1e-9);
    }
  });
}

TEST_F(OtherMaps, HaveTheSameAdjointsFromEverySolver) {
  on_every_grid([](const ProcessGrid& grid, const TwoLayerMap& map, const Range& rows) {
    const Block u = random_block(rows, used_columns, 3);
    const Block rhs = random_block(rows, used_columns, 5);
    EquilibriumSolver equilibria(grid.feature(), map, panel_columns);
    const Solved state = solve_cold(equilibria, map, used_columns, u);
    Block reference;
    for (const OptionList& options : {OptionList{}, gmres, OptionList{{"adj_ksp_type", "bcgs"}}}) {
      const GivenOptions given(options);
      SCOPED_TRACE(given.text());
      AdjointSolver solver(grid.feature(), map, panel_columns, 1e-12);
      Block lambda(rhs.size());
      const Outcome outcome = solver.solve(used_columns, state.slopes.data(), rhs.data(), lambda.data());
      expect_contract(
          outcome, relative_adjoint_residuals(grid.feature(), map, used_columns, state.slopes, rhs, lambda),
          2.001e-12);
      if (reference.empty()) reference = lambda;
      EXPECT_LE(relative_difference(grid.feature(), lambda, reference), 1e-9);
    }
  });
}

TEST_F(OtherMaps, AreRefusedByNameWhereTheFormIsNeeded) {
  on_every_grid([](const ProcessGrid& grid, const TwoLayerMap& map, const Range&) {
    for (const std::string name : {"meanfield", "forwardbackward", "peacemanrachford"}) {
      const GivenOptions given(type(name));
      const std::string message = refusal([&] { EquilibriumSolver solver(grid.feature(), map, 2); });
      EXPECT_TRUE(contains(message, "-eq_snes_type " + name)) << message;
      EXPECT_TRUE(contains(message, "h(z) = a(Wz + u);")) << message;
    }
    const GivenOptions mean(OptionList{{"adj_ksp_type", "meanfield"}});
    const std::string message = refusal([&] { AdjointSolver solver(grid.feature(), map, 2, 1e-12); });
    EXPECT_TRUE(contains(message, "-adj_ksp_type meanfield")) << message;
    EXPECT_TRUE(contains(message, "h(z) = a(Wz + u);")) << message;
  });
}

TEST_F(OtherMaps, AreRefusedByNeumannOnAllRanksIfOneOfThemHasOtherSlopesThanStates) {
  // m = 5 and k = 6 on two ranks: the first holds 3 rows of both.
  on_every_grid([](const ProcessGrid& grid, const TwoLayerMap& map, const Range&) {
    const GivenOptions given(OptionList{{"adj_ksp_type", "neumann"}});
    const std::string message = refusal([&] { AdjointSolver solver(grid.feature(), map, 2, 1e-12); });
    EXPECT_TRUE(contains(message, "-adj_ksp_type neumann")) << message;
  });
}

TEST_F(OtherMaps, AreRefusedByThePreconditionersByName) {
  const ProcessGrid grid(MPI_COMM_WORLD, 1);
  const TwoLayerMap map(grid, 5, 6);
  const Block u(5, 0.3);
  for (const std::string name : {"meanfield", "samplelu"}) {
    const GivenOptions given({{"eq_snes_type", "newtonls"}, {"eq_pc_type", name}});
    const std::string message = refusal([&] {
      EquilibriumSolver solver(grid.feature(), map, 1);
      (void)solve_cold(solver, map, 1, u);
    });
    EXPECT_TRUE(contains(message, "h(z) = a(Wz + u)")) << message;
  }
}

}  // namespace
}  // namespace poise
