#include <gtest/gtest.h>

#include "poise/base/error.hpp"
#include "poise/run/ensemble_plan.hpp"

namespace poise {
namespace {

/// The message that refuses a table; empty if the table is accepted.
std::string refusal(const std::string& text) {
  try {
    (void)parse_ensemble(text, "table.txt");
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    return error.what();
  }
}

TEST(EnsembleTable, ALineIsANameAndOptions) {
  const auto lines = parse_ensemble(
      "# a comment\n"
      "\n"
      "gamma-0.5_seed-1: -gamma 0.5 -seed 1   # behind a line\n"
      "\t plain:\r\n"
      "last: -audit -step_size -1e-3 -shift -.5 -flow_ts_rtol 1e-8",
      "table.txt");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].name, "gamma-0.5_seed-1");
  EXPECT_EQ(lines[0].options, (NamedOptions{{"gamma", "0.5"}, {"seed", "1"}}));
  EXPECT_EQ(lines[0].where, "table.txt:3");
  EXPECT_EQ(lines[1].name, "plain");
  EXPECT_TRUE(lines[1].options.empty());
  EXPECT_EQ(lines[2].where, "table.txt:5");
  EXPECT_EQ(
      lines[2].options,
      (NamedOptions{{"audit", ""}, {"step_size", "-1e-3"}, {"shift", "-.5"}, {"flow_ts_rtol", "1e-8"}}));
}

TEST(EnsembleTable, ANameWithoutColonIsRefused) {
  for (const char* text : {"a -gamma 0.5", "-gamma 0.5", "a : -gamma 0.5", "a"})
    EXPECT_NE(refusal(std::string("\n") + text).find("table.txt:2: a line is NAME: OPTIONS"),
              std::string::npos)
        << text;
}

TEST(EnsembleTable, ANameThatIsNoFolderIsRefused) {
  for (const char* name :
       {"", ".", "..", ".hidden", "a/b", "/a", "../a", "a\\b", "-a", "a*", "a'", "\xc3\xa9"}) {
    const std::string message = refusal(std::string(name) + ": -gamma 0.5");
    EXPECT_NE(message.find("table.txt:1"), std::string::npos) << name;
    EXPECT_NE(message.find("cannot name a run directory"), std::string::npos) << name << message;
  }
  EXPECT_NE(refusal(std::string(201, 'a') + ":"), "");
  EXPECT_EQ(refusal(std::string(200, 'a') + ":"), "");
  EXPECT_EQ(refusal("0.5+a=b,c@d%: -seed 1"), "");
}

TEST(EnsembleTable, ANameThatIsTakenIsRefused) {
  EXPECT_NE(refusal("a:\nb:\na: -seed 1").find("table.txt:3: table.txt:1 already has the name 'a'"),
            std::string::npos);
  for (const char* name : {"ensemble.h5", "ensemble.txt", "runs.h5", "DONE", "figures"})
    EXPECT_NE(refusal(std::string(name) + ":").find("a file of the ensemble"), std::string::npos) << name;
}

TEST(EnsembleTable, AnOptionThatStandsTwiceIsRefused) {
  EXPECT_NE(refusal("a: -seed 1 -gamma 0.5 -seed 2").find("table.txt:1: -seed is given twice"),
            std::string::npos);
}

TEST(EnsembleTable, AWordThatBelongsToNothingIsRefused) {
  EXPECT_NE(refusal("a: 0.5").find("'0.5' is neither"), std::string::npos);
  EXPECT_NE(refusal("a: -gamma 0.5 0.6").find("'0.6' is neither"), std::string::npos);
  EXPECT_NE(refusal("a: -gamma 0.5 -").find("'-' is neither"), std::string::npos);
}

TEST(EnsembleTable, OptionsOfTheEnsembleAreNotForAMember) {
  for (const char* name : {"run", "resume", "deadline", "ensemble", "ensemble_ranks"})
    EXPECT_NE(refusal(std::string("a: -") + name + " 1").find("give it on the command line"),
              std::string::npos)
        << name;
}

TEST(EnsembleTable, ATableWithoutMembersIsRefused) {
  for (const char* text : {"", "\n\n", "# a: -seed 1\n"})
    EXPECT_NE(refusal(text).find("table.txt has no member"), std::string::npos) << text;
}

TEST(EnsembleGrid, ItIsATableOfAllCombinations) {
  EXPECT_EQ(table_of_grid("gamma=0.5,0.9  seed=0:2"),
            "# -grid \"gamma=0.5,0.9  seed=0:2\"\n"
            "gamma-0.5_seed-0: -gamma 0.5 -seed 0\n"
            "gamma-0.5_seed-1: -gamma 0.5 -seed 1\n"
            "gamma-0.9_seed-0: -gamma 0.9 -seed 0\n"
            "gamma-0.9_seed-1: -gamma 0.9 -seed 1\n");
  const auto lines = parse_ensemble(table_of_grid("data=a/b.h5,c:d.h5 shift=-2:1,7"), "grid");
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines[0].name, "data-a-b.h5_shift--2");
  EXPECT_EQ(lines[7].options, (NamedOptions{{"data", "c:d.h5"}, {"shift", "7"}}));
}

TEST(EnsembleGrid, PartsThatMakeNoSenseAreRefused) {
  for (const char* grid : {"", " ", "gamma", "=1", "gamma=", "gamma=1,", "gamma=,1", "-gamma=1", "seed=2:2",
                           "seed=3:1", "seed=1:3,2", "a=1 a=2", "seed=0:10001", "a=0:101 b=0:100"})
    EXPECT_THROW((void)table_of_grid(grid), Error) << grid;
  EXPECT_EQ(parse_ensemble(table_of_grid("a=0:100 b=0:100"), "grid").size(), 10000U);
}

}  // namespace
}  // namespace poise
