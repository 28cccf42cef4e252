#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "poise/base/diagnostics.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/base/process_grid.hpp"
#include "support/given_options.hpp"
#include "unit/petsc/printed.hpp"
#include "unit/petsc/small_solvers.hpp"

namespace poise {
namespace {

using testing_support::GivenOptions;
using testing_support::OptionList;
using testing_support::Printed;
using testing_support::SmallSolvers;

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// The message of the check of a program that knows the solver x_, where `made` is made; "" if it passes.
std::string refusal(const std::string& kind, const OptionList& options, bool made = true) {
  const GivenOptions given(options);
  SmallSolvers solvers(MPI_COMM_WORLD);
  try {
    if (made) solvers.make(kind, "x_");
    Options known;
    known.solver("x_", kind == "GEPS" ? "EPS" : kind, "");
    known.reject_unknown();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input) << error.what();
    EXPECT_TRUE(error.collective());
    return error.what();
  }
  return "";
}

struct Object {
  std::string kind, name, prefix;
  OptionList options = {};
};

// Every class of objects, inside the solvers that have it.
const std::vector<Object> objects{
    {"KSP", "KSP", "x_"},
    {"KSP", "KSP", "x_ksp_", {{"x_pc_type", "ksp"}, {"x_ksp_pc_type", "none"}}},
    {"SNES", "SNES", "x_"},
    {"SNES", "SNESJacobian", "x_"},
    {"SNES", "KSP", "x_"},
    {"SNES", "SNES", "x_npc_", {{"x_snes_type", "ngmres"}, {"x_npc_snes_type", "nrichardson"}}},
    {"SNES", "SNES", "x_sub_0_", {{"x_snes_type", "composite"}, {"x_snes_composite_sneses", "nrichardson"}}},
    {"TS", "TS", "x_"},
    {"TS", "SNES", "x_", {{"x_ts_type", "beuler"}, {"x_snes_mf", ""}}},
    {"TS", "KSP", "x_", {{"x_ts_type", "beuler"}, {"x_snes_mf", ""}}},
    {"EPS", "EPS", "x_"},
    {"GEPS", "EPS", "x_"},
    {"GEPS", "GEPS", "x_"},
    {"GEPS", "KSP", "x_st_"},
    {"TAO", "TAO", "x_"},
    {"TAO", "TAOHessian", "x_"},
    {"TAO", "TAOLineSearch", "x_"},
    {"TAO", "KSP", "x_tao_nls_"}};

TEST(Diagnostics, OfASolverThatRunsAreKnownBeforeItSolves) {
  for (const Object& object : objects)
    for (const Diagnostic& one : diagnostics(object.name)) {
      if (one.asked != Diagnostic::Asked::always || one.value != Diagnostic::Value::viewer) continue;
      OptionList options = object.options;
      options.emplace_back(object.prefix + one.name, "");
      EXPECT_EQ(refusal(object.kind, options), "") << object.prefix << one.name;
    }
}

TEST(Diagnostics, OfASolverThatDoesNotRunAreRefusedWithTheReason) {
  for (const auto& [kind, name, owner] : std::vector<std::array<std::string, 3>>{
           {"KSP", "x_ksp_view", "the solver x_ (KSP)"},
           {"SNES", "x_snes_converged_reason", "the solver x_ (SNES)"},
           {"SNES", "x_ksp_view", "the KSP inside of the solver x_ (SNES)"},
           {"SNES", "x_npc_ksp_view_mat", "the KSP inside of the solver x_ (SNES)"},
           {"TS", "x_ts_view", "the solver x_ (TS)"},
           {"TS", "x_snes_view", "the SNES inside of the solver x_ (TS)"},
           {"EPS", "x_eps_view_values", "the solver x_ (EPS)"},
           {"EPS", "x_st_ksp_view", "the KSP inside of the solver x_ (EPS)"},
           {"TAO", "x_tao_view", "the solver x_ (TAO)"},
           {"TAO", "x_tao_bnk_ksp_monitor", "the KSP inside of the solver x_ (TAO)"}}) {
    const std::string message = refusal(kind, {{name, ""}}, false);
    EXPECT_NE(message.find("option -" + name + " belongs to " + owner + ", which this run does not use"),
              std::string::npos)
        << message;
  }
}

TEST(Diagnostics, MisspeltOnesAreRefusedWithTheNearestName) {
  for (const auto& [kind, name, near] :
       std::vector<std::array<std::string, 3>>{{"SNES", "x_snes_monitr", "x_snes_monitor"},
                                               {"SNES", "x_snes_viw", "x_snes_view"},
                                               {"SNES", "x_snes_monitor_foo", "x_snes_monitor"},
                                               {"SNES", "x_npc_snes_viw", "x_npc_snes_view"},
                                               {"KSP", "x_ksp_convergd_reason", "x_ksp_converged_reason"},
                                               {"TS", "x_ts_veiw", "x_ts_view"},
                                               {"EPS", "x_eps_view_valus", "x_eps_view_values"},
                                               {"TAO", "x_tao_convergd_reason", "x_tao_converged_reason"}}) {
    const std::string message = refusal(kind, {{name, ""}});
    EXPECT_NE(message.find("option -" + name + " is unknown, the nearest is -" + near), std::string::npos)
        << message;
  }
}

TEST(Diagnostics, OfObjectsThatASolverHasWithoutUseAreRefused) {
  EXPECT_NE(refusal("TS", {{"x_snes_monitor", ""}}).find("the integrator is explicit"), std::string::npos);
  EXPECT_NE(refusal("TS", {{"x_ksp_view", ""}}).find("option -x_ksp_view would print nothing"),
            std::string::npos);
  EXPECT_NE(refusal("EPS", {{"x_st_ksp_monitor", ""}}).find("solves no equations"), std::string::npos);
  EXPECT_NE(refusal("SNES", {{"x_snes_type", "nrichardson"}, {"x_ksp_converged_reason", ""}})
                .find("the KSP inside of the solver x_ (SNES)"),
            std::string::npos);
}

/// What PETSc prints on this rank.
std::string output(const Object& object, const std::string& name, const std::string& value, MPI_Comm comm) {
  OptionList options = object.options;
  options.emplace_back(object.prefix + name, value);
  const GivenOptions given(options);
  const Printed printed;
  {
    SmallSolvers solvers(comm);
    solvers.make(object.kind, "x_");
    solvers.solve();
  }
  return Printed::text();
}

TEST(Diagnostics, ThatWouldFailInTheMidstOfASolveAreRefused) {
  for (const Object& object : objects)
    for (const Diagnostic& one : diagnostics(object.name)) {
      if (one.value != Diagnostic::Value::unfit) continue;
      OptionList options = object.options;
      const std::string name = one.name;  // vtk needs a file name
      options.emplace_back(object.prefix + name, name.ends_with("vtk") ? "step-%03d.vts" : "");
      const std::string message = refusal(object.kind, options);
      EXPECT_NE(message.find("option -" + object.prefix + one.name + " needs something"), std::string::npos)
          << message;
    }
}

TEST(Diagnostics, ArePrinted) {
  for (const Object& object : objects)
    for (const Diagnostic& one : diagnostics(object.name)) {
      if (one.asked != Diagnostic::Asked::always || one.value != Diagnostic::Value::viewer) continue;
      try {
        const bool prints = !output(object, one.name, "", MPI_COMM_WORLD).empty();
        EXPECT_TRUE(prints || world_rank() != 0) << object.kind << " " << object.prefix << one.name;
      } catch (const Error& error) {
        ADD_FAILURE() << object.kind << " " << object.prefix << one.name << ": " << error.what();
      }
    }
}

TEST(Silence, IsInheritedByDuplicates) {
  MPI_Comm silent = MPI_COMM_NULL, copy = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &silent);
  EXPECT_FALSE(is_silent(silent));
  silence(silent);
  MPI_Comm_dup(silent, &copy);
  EXPECT_TRUE(is_silent(silent));
  EXPECT_TRUE(is_silent(copy));
  EXPECT_FALSE(is_silent(MPI_COMM_WORLD));
  MPI_Comm_free(&copy);
  MPI_Comm_free(&silent);
}

/// All grids of the ranks of this test.
template <class Body>
void on_every_grid(Body body) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  for (int feature_ranks = 1; feature_ranks <= ranks; ++feature_ranks)
    if (ranks % feature_ranks == 0) body(ProcessGrid(MPI_COMM_WORLD, feature_ranks));
}

TEST(Silence, SolversOfSampleRanksPrintOnce) {
  const std::vector<std::pair<Object, std::string>> cases{{objects[0], "ksp_view"},
                                                          {objects[0], "ksp_monitor_true_residual"},
                                                          {objects[0], "ksp_converged_reason"},
                                                          {objects[0], "ksp_view_solution"},
                                                          {objects[0], "ksp_view_eigenvalues"},
                                                          {objects[1], "ksp_monitor"},
                                                          {objects[2], "snes_monitor"},
                                                          {objects[2], "snes_view"},
                                                          {objects[2], "snes_converged_reason"},
                                                          {objects[2], "snes_linesearch_monitor"},
                                                          {objects[3], "snes_test_jacobian"},
                                                          {objects[4], "ksp_converged_reason"},
                                                          {objects[5], "snes_converged_reason"},
                                                          {objects[6], "snes_monitor"},
                                                          {objects[10], "eps_view"},
                                                          {objects[10], "eps_monitor"},
                                                          {objects[10], "eps_converged_reason"},
                                                          {objects[13], "ksp_converged_reason"}};
  on_every_grid([&](const ProcessGrid& grid) {
    for (const auto& [object, name] : cases) {
      const std::string text = output(object, name, "", grid.feature());
      EXPECT_EQ(text.empty(), world_rank() != 0)
          << object.prefix << name << " on rank " << world_rank() << ":\n"
          << text;
    }
  });
}

TEST(Silence, ChangesNeitherSolutionNorWhatCountsAsUsed) {
  on_every_grid([](const ProcessGrid& grid) {
    const GivenOptions given({{"x_ksp_type", "cg"},
                              {"x_ksp_max_it", "3"},
                              {"x_ksp_monitor_true_residual", ""},
                              {"x_ksp_view", ""},
                              {"x_ksp_gmres_krylov_monitor", ""}});
    const Printed printed;
    SmallSolvers solvers(grid.feature());
    solvers.make("KSP", "x_");
    solvers.solve();
    PetscInt iterations = 0;
    check(KSPGetIterationNumber(solvers.ksp(), &iterations));
    EXPECT_EQ(iterations, 3);
    double first = solvers.solution()[0];
    MPI_Bcast(&first, 1, MPI_DOUBLE, 0, grid.world());
    EXPECT_EQ(solvers.solution()[0], first);
    Options known;
    known.solver("x_", "KSP", "");
    try {  // cg has no Krylov space to draw, and fails on every rank
      known.reject_unknown();
      FAIL() << "rank " << world_rank() << " took an option of GMRES";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("option -x_ksp_gmres_krylov_monitor"), std::string::npos);
      EXPECT_EQ(std::string(error.what()).find("x_ksp_view"), std::string::npos) << error.what();
    }
  });
}

}  // namespace
}  // namespace poise
