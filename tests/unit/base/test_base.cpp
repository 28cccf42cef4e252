#include <gtest/gtest.h>
#include <petscsys.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"

namespace poise {
namespace {

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}
int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

TEST(Agree, AnErrorOnOneRankIsThrownByAllRanksWithItsCodeAndRank) {
  const int culprit = world_size() - 1;
  try {
    agree(MPI_COMM_WORLD, [&] {
      if (world_rank() == culprit) throw bad_input("row 7 is broken");
    });
    FAIL() << "rank " << world_rank() << " did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    EXPECT_NE(std::string(error.what()).find("row 7 is broken"), std::string::npos);
    if (culprit > 0) {
      EXPECT_NE(std::string(error.what()).find("rank " + std::to_string(culprit)), std::string::npos);
    }
  }
}

TEST(Agree, NothingHappensWhenNoRankFails) {
  EXPECT_NO_THROW(agree(MPI_COMM_WORLD, [] {}));
}

TEST(MpiCount, ACountBeyondMpisIntegersIsAnErrorNotAnotherNumber) {
  EXPECT_EQ(mpi_count(2147483647), 2147483647);
  EXPECT_THROW((void)mpi_count(Index{2147483648}), Error);
}

TEST(BlockRange, PartsCoverEverythingOnceAndDifferByAtMostOne) {
  for (const Index n : {0, 1, 2, 3, 7, 100}) {
    for (const int parts : {1, 2, 3, 5, 8}) {
      Index next = 0;
      for (int part = 0; part < parts; ++part) {
        const Range range = block_range(n, parts, part);
        EXPECT_EQ(range.begin, next);
        EXPECT_GE(range.size(), n / parts);
        EXPECT_LE(range.size(), n / parts + 1);
        next = range.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

TEST(ProcessGrid, WorldSlicesRefineTheRowBlocksOfTheFeatureRanks) {
  for (int feature_ranks = 1; feature_ranks <= world_size(); ++feature_ranks) {
    if (world_size() % feature_ranks != 0) {
      EXPECT_THROW(ProcessGrid(MPI_COMM_WORLD, feature_ranks), Error);
      continue;
    }
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    for (const Index m : {1, 2, 5, 17}) {
      const auto rows = grid.feature_offsets(m);
      const auto slices = grid.world_offsets(m);
      ASSERT_EQ(slices.size(), static_cast<std::size_t>(grid.size()) + 1);
      EXPECT_EQ(slices.back(), m);
      for (int f = 0; f <= feature_ranks; ++f)
        EXPECT_EQ(slices[static_cast<std::size_t>(f * grid.sample_ranks())],
                  rows[static_cast<std::size_t>(f)]);
    }
    int feature_rank = -1;
    int sample_rank = -1;
    MPI_Comm_rank(grid.feature(), &feature_rank);
    MPI_Comm_rank(grid.sample(), &sample_rank);
    EXPECT_EQ(feature_rank, grid.feature_index());
    EXPECT_EQ(sample_rank, grid.sample_index());
  }
}

TEST(CounterRandom, NumbersDependOnSeedStreamAndIndexAlone) {
  const CounterRandom random(3, Stream::weights_a);
  EXPECT_EQ(random.normal(5, 6), CounterRandom(3, Stream::weights_a).normal(5, 6));
  EXPECT_NE(random.normal(5, 6), random.normal(6, 5));
  EXPECT_NE(random.normal(5, 6), CounterRandom(4, Stream::weights_a).normal(5, 6));
  EXPECT_NE(random.normal(5, 6), CounterRandom(3, Stream::weights_b).normal(5, 6));
}

TEST(CounterRandom, NormalNumbersHaveTheMomentsOfTheNormalDistribution) {
  const CounterRandom random(1, Stream::features);
  const int n = 200000;
  double sum = 0.0;
  double squares = 0.0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal(static_cast<std::uint64_t>(i));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0.0, 5.0 / std::sqrt(n));  // five standard errors
  EXPECT_NEAR(squares / n, 1.0, 5.0 * std::sqrt(2.0 / n));
}

class OptionsTest : public testing::Test {
 protected:
  void SetUp() override { PetscOptionsClear(nullptr); }
  void TearDown() override { PetscOptionsClear(nullptr); }
  static void set(const char* text) { PetscOptionsInsertString(nullptr, text); }
  static std::string message_of(const std::function<void()>& body) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_TRUE(error.collective());
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(OptionsTest, AValueOutsideItsRangeNamesTheOptionTheValueAndTheRange) {
  for (const char* value : {"0", "1", "-0.5", "nan", "inf", "abc", "0.5x"}) {
    PetscOptionsSetValue(nullptr, "-gamma", value);
    Options options;
    const std::string message = message_of([&] {
      options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
    });
    EXPECT_NE(message.find("-gamma"), std::string::npos) << message;
    EXPECT_NE(message.find(value), std::string::npos) << message;
    EXPECT_NE(message.find("(0, 1)"), std::string::npos) << message;
  }
}

TEST_F(OptionsTest, AnUnknownChoiceListsAllChoicesAndTheNearest) {
  set("-loss squard");
  Options options;
  const std::string message = message_of([&] {
    options.choice("loss", "squared", {"squared", "logistic", "cross_entropy"}, "loss");
  });
  EXPECT_NE(message.find("squared, logistic, cross_entropy"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'squared'"), std::string::npos) << message;
}

TEST_F(OptionsTest, AMisspeltOptionIsRefusedWithTheNearestName) {
  set("-gama 0.8");
  Options options;
  options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
  const std::string message = message_of([&] { options.reject_unknown(); });
  EXPECT_NE(message.find("-gama is unknown, the nearest is -gamma"), std::string::npos) << message;
}

TEST_F(OptionsTest, AnErrorTellsWhetherItCorrectsAName) {
  for (const auto& [options, corrects] : {std::pair{"-gama 0.8", true},
                                          {"-xqzvw 1", false},
                                          {"-xqzvw 1 -gama 0.8", true},
                                          {"-gama 0.8 -xqzvw 1", true}}) {
    PetscOptionsClear(nullptr);
    set(options);
    Options known;
    known.real("gamma", 0.5, {0, 1, true}, "contraction factor");
    try {
      known.reject_unknown();
      ADD_FAILURE() << options;
    } catch (const Error& error) {
      EXPECT_EQ(error.corrects(), corrects) << error.what();
      EXPECT_EQ(error.with_message("").corrects(), corrects);
    }
  }
}

TEST_F(OptionsTest, HabitsOfOtherCommandLinesGetAHint) {
  for (const auto& [name, hint] : {std::pair{"-gamma=0.7", "write -gamma 0.7, with a blank"},
                                   {"--gamma", "write -gamma, with one dash"},
                                   {"--gamma=0.7", "write -gamma 0.7, with a blank"},
                                   {"-lr", "here it is -step_size"},
                                   {"-step-size", "write -step_size"},
                                   {"-learning-rate", "here it is -step_size"},
                                   {"--", "it has no name"},
                                   {"---", "it has no name"},
                                   {"-=", "it has no name"},
                                   {"--=", "it has no name"},
                                   {"--=1", "it has no name"}}) {
    PetscOptionsClear(nullptr);
    PetscOptionsSetValue(nullptr, name, nullptr);
    Options options;
    options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
    options.real("step_size", 0.1, {0, 1}, "step");
    const std::string message = message_of([&] { options.reject_unknown(); });
    EXPECT_NE(message.find(std::string("option ") + name + " is unknown"), std::string::npos) << message;
    EXPECT_NE(message.find(hint), std::string::npos) << message;
  }
}

TEST_F(OptionsTest, AMisspeltSolverOptionIsRefusedWithTheNearestName) {
  set("-eq_ksp_rtoll 1e-3");
  Options options;
  options.solver("eq_", "SNES", "newtonls");
  const std::string message = message_of([&] { options.reject_unknown(); });
  EXPECT_NE(message.find("the nearest is -eq_ksp_rtol"), std::string::npos) << message;
}

TEST_F(OptionsTest, ResolvedSettingsRepeatTheRun) {
  set("-gamma 0.8 -adj_ksp_type bcgs");
  Options options;
  options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
  options.flag("audit", true, "audit");
  const auto resolved = options.resolved();
  const std::vector<std::pair<std::string, std::string>> expected{
      {"gamma", "0.8"}, {"audit", "true"}, {"adj_ksp_type", "bcgs"}};
  EXPECT_EQ(resolved, expected);
}

TEST_F(OptionsTest, WordsInsideOfAValueAreNoOptions) {
  const char* name = "a -b -eq_snes_rtol 1e-3";
  PetscOptionsSetValue(nullptr, "-run", name);
  PetscOptionsSetValue(nullptr, "-adj_ksp_monitor", ":my file");
  PetscOptionsSetValue(nullptr, "-eq_snes_ksp_ew", nullptr);
  Options options;
  options.text("run", "", "run directory");
  std::vector<std::pair<std::string, std::string>> resolved = options.resolved();
  std::sort(resolved.begin(), resolved.end());
  const std::vector<std::pair<std::string, std::string>> expected{
      {"adj_ksp_monitor", ":my file"}, {"eq_snes_ksp_ew", ""}, {"run", name}};
  EXPECT_EQ(resolved, expected);
}

TEST_F(OptionsTest, AHalfOpenRangeExcludesItsUpperEndAndIsPrintedSo) {
  for (const auto& [value, allowed] : {std::pair{"0", true}, {"0.999", true}, {"1", false}}) {
    PetscOptionsSetValue(nullptr, "-momentum", value);
    Options options;
    const std::string message = message_of([&] {
      options.real("momentum", 0.9, {.low = 0, .high = 1, .open_high = true}, "share that is kept");
    });
    if (allowed)
      EXPECT_EQ(message, "nothing was thrown");
    else
      EXPECT_NE(message.find("[0, 1)"), std::string::npos) << message;
  }
}

TEST_F(OptionsTest, AnOptionHasTheRoleOfItsCategoryUnlessItHasItsOwn) {
  Options options;
  options.text("run", "", "run directory", Role{Role::invocation});
  {
    const Options::Category model(options, "model", Role{Role::identity, "of another model"});
    options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
    options.integer("panel", 0, {0}, "samples at once", Role{Role::free});
    const Options::Category features(options, "features");
    options.flag("constant", true, "append 1");
  }
  options.integer("steps", 100, {1}, "steps", Role{Role::end, "a schedule"});
  options.flag("audit", true, "audit");
  EXPECT_EQ(options.names(Role::identity), (std::vector<std::string>{"gamma", "constant"}));
  EXPECT_EQ(options.names(Role::free), (std::vector<std::string>{"panel", "audit"}));
  EXPECT_EQ(options.names(Role::end), std::vector<std::string>{"steps"});
  EXPECT_EQ(options.names(Role::invocation), std::vector<std::string>{"run"});
  EXPECT_EQ(options.settings()[1].role.why, "of another model");
  EXPECT_EQ(options.settings()[3].category, "features");
}

TEST_F(OptionsTest, ATableForTheDocumentsHasARowForEveryOption) {
  Options options;
  const Options::Category run(options, "run");
  options.real("deadline", 0.0, {.low = 0, .high = 1e9, .unit = "seconds"}, "limit");
  options.choice("loss", "squared", {"squared", "logistic"}, "of a sample");
  EXPECT_EQ(options.help("usage", "markdown"),
            "\n**run**\n\n| option | default | allowed | meaning |\n| --- | --- | --- | --- |\n"
            "| `-deadline` | 0 | a number in [0, 1e+09] seconds | limit |\n"
            "| `-loss` | squared | squared\\|logistic | of a sample |\n");
}

TEST_F(OptionsTest, HelpShowsDefaultAndRangeOfEveryOption) {
  Options options;
  options.real("gamma", 0.5, {0, 1, true}, "contraction factor");
  options.integer("steps", 100, {1, 1e9}, "steps");
  options.flag("audit", true, "audit");
  options.real("time", 10.0, {.low = 0, .infinite = true, .unit = "of time t"}, "end time");
  const std::string help = options.help("usage");
  for (const char* part : {"-gamma (0.5; a number in (0, 1))", "-steps (100; an integer in [1, 1e+09])",
                           "-audit (true; true or false)", "-time (10; a number in [0, inf] of time t)"})
    EXPECT_NE(help.find(part), std::string::npos) << help;
}

TEST_F(OptionsTest, HelpListsASolverOfAKindThatItDoesNotKnow) {
  Options options;
  options.solver("own_", "OwnSolver", "of a user's program");
  EXPECT_NE(options.help("usage").find("-own_*"), std::string::npos);
}

}  // namespace
}  // namespace poise
