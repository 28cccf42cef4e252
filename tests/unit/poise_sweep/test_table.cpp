#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise_sweep/settings.hpp"
#include "poise_sweep/study.hpp"
#include "support/given_options.hpp"

namespace poise::sweep {
namespace {

using testing_support::GivenOptions;
using testing_support::OptionList;

Table small_table() {
  const std::vector<MemberResult> done{
      {{1.0, 7.0}, "", 0, 0.5}, {{0.0, 8.0}, "", 1, 0.6}, {{}, "it broke", 0, 0.1}};
  return {{{"m", ""}, {"seed", ""}}, {{"reached", ""}, {"steps", ""}}, {{4, 0}, {4, 1}, {8, 0}}, done};
}

TEST(SweepTable, FailedMembersHaveNoNumbersButAreThere) {
  const Table table = small_table();
  EXPECT_EQ(table.rows(), 3U);
  EXPECT_EQ(table.failures(), 1U);
  EXPECT_TRUE(std::isnan(table.at(2, "steps")));
  EXPECT_EQ(table.at(2, "m"), 8.0);
  EXPECT_EQ(table.at(2, "failed"), 1.0);
  EXPECT_EQ(table.error(2), "it broke");
  EXPECT_EQ(table.label(1), "m = 4, seed = 1");
  EXPECT_EQ(table.count("reached"), 1U);  // neither the 0 nor the NaN
  EXPECT_THROW((void)table.index("step"), Error);
}

TEST(SweepTable, GroupsLeaveOutOneParameter) {
  const Table table = small_table();
  EXPECT_EQ(table.groups("seed"), (std::vector<std::vector<std::size_t>>{{0, 1}, {2}}));
  EXPECT_EQ(table.groups("m"), (std::vector<std::vector<std::size_t>>{{0, 2}, {1}}));
}

TEST(SweepTable, AMemberThatReturnsTooFewNumbersIsAnError) {
  EXPECT_THROW(Table({{"m", ""}}, {{"a", ""}, {"b", ""}}, {{1}}, {{{1.0}, "", 0, 0.0}}), Error);
}

TEST(SweepMembers, CombinationsRunTheLastListFastest) {
  EXPECT_EQ(combinations({{1, 2}, {5, 6}}),
            (std::vector<std::vector<double>>{{1, 5}, {1, 6}, {2, 5}, {2, 6}}));
  EXPECT_EQ(combinations({{1}, {}}).size(), 0U);
}

TEST(SweepNumbers, ListsAreReadInTheirOrder) {
  const GivenOptions given(OptionList{{"list", "3,0.5,1e-2"}});
  Options options;
  EXPECT_EQ(read_numbers(options, "list", "1", {0, 5}, ""), (std::vector<double>{3, 0.5, 0.01}));
  EXPECT_EQ(read_integers(options, "other", "1,2", {0, 5}, ""), (std::vector<double>{1, 2}));
}

TEST(SweepNumbers, WrongListsAreRefusedByName) {
  for (const char* wrong : {"", "a", "1,,2", "1 2", "7", "nan", "1.5", "2,2"}) {
    const GivenOptions given(OptionList{{"list", wrong}});
    Options options;
    try {
      (void)read_integers(options, "list", "1", {0, 5}, "");
      ADD_FAILURE() << "accepted '" << wrong << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("-list"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace poise::sweep
