#include <gtest/gtest.h>
#include <petscsys.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise {
namespace {

TEST(OwnOptions, AreSeenOnlyInsideTheirScope) {
  const TemporaryOptions outside({{"-outer", "1"}}, TemporaryOptions::replace);
  {
    const OwnOptions scope({{"inner", "2"}, {"inner", "3"}, {"flag", ""}});
    Options options;
    EXPECT_EQ(options.text("outer", "none", ""), "none");
    EXPECT_EQ(options.text("inner", "none", ""), "3");  // the later one
    EXPECT_TRUE(options.flag("flag", false, ""));
  }
  Options options;
  EXPECT_EQ(options.text("outer", "none", ""), "1");
  EXPECT_EQ(options.text("inner", "none", ""), "none");
}

TEST(OwnOptions, WhatOneScopeHasUsedIsUnusedInTheNext) {
  for (int k = 0; k < 2; ++k) {
    const OwnOptions scope({{"asked", "1"}, {"misspelt", "1"}});
    Options options;
    if (k == 0) (void)options.text("misspelt", "", "");
    (void)options.text("asked", "", "");
    if (k == 0)
      options.reject_unknown();
    else
      EXPECT_THROW(options.reject_unknown(), Error);
  }
}

TEST(OwnOptions, TakingCountsAsUse) {
  const OwnOptions scope({{"a", "1"}, {"b", ""}, {"c", "-2"}});
  Options options;
  (void)options.text("a", "", "");
  NamedOptions taken = take_unused_options();
  std::sort(taken.begin(), taken.end());
  EXPECT_EQ(taken, (NamedOptions{{"b", ""}, {"c", "-2"}}));
  EXPECT_TRUE(take_unused_options().empty());
  options.reject_unknown();
}

TEST(OwnOptions, BehindThePrefixOfASolverPassesBeforeItIsMade) {
  const OwnOptions scope({{"eq_snes_rtol", "1"}, {"known", "1"}});
  Options options;
  (void)options.text("known", "", "");
  EXPECT_THROW(options.reject_undeclared(), Error);
  options.solver("eq_", "SNES", "");
  options.reject_undeclared();
  EXPECT_THROW(options.reject_unknown(), Error);
}

TEST(OwnOptions, OfAFile) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const std::string path =
      (std::filesystem::temp_directory_path() / ("poise-options-" + std::to_string(getppid()))).string();
  if (rank == 0) std::ofstream(path) << "# a comment\n-x 1   # behind\n-y\n";
  MPI_Barrier(MPI_COMM_WORLD);
  NamedOptions options = options_of_file(MPI_COMM_WORLD, path);
  std::sort(options.begin(), options.end());
  EXPECT_EQ(options, (NamedOptions{{"x", "1"}, {"y", ""}}));
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank == 0) std::remove(path.c_str());
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_THROW((void)options_of_file(MPI_COMM_WORLD, path), Error);
}

/// The message that refuses an options file with this `content`; empty if it passes.
std::string refusal(const std::string& content, const std::string& ending = "") {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const std::string path =
      (std::filesystem::temp_directory_path() / ("poise-refused-" + std::to_string(getppid()))).string() +
      ending;
  if (rank == 0) std::ofstream(path) << content;
  std::string message;
  try {
    require_options_file(MPI_COMM_WORLD, path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    message = error.what();
  }
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank == 0) std::remove(path.c_str());
  MPI_Barrier(MPI_COMM_WORLD);
  return message;
}

TEST(OptionsFile, WhatPetscTakesPasses) {
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal("# all\n\n \t-a 1 # one\r\n-b -0.5\n--c\n-d -inf\n-e \"f g\"\n  # end"), "");
  EXPECT_EQ(refusal("alias -new -old\n-prefix_push eq_\n-snes_rtol 1e-3\n-prefix_pop\n"), "");
  EXPECT_EQ(refusal("a: 1\n", ".yaml"), "");
  EXPECT_EQ(refusal("---\na: 1\n"), "");
}

TEST(OptionsFile, AFaultIsNamedWithItsLineAndCure) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"-a 1\n-b 2 -c 3\n", ":2: -b and -c stand on one line: give every option a line of its own"},
      {"-a -b\n", ":1: -a and -b stand on one line"},
      {"\n# x\nb 2\n", ":3: 'b' is not an option: options start with a dash"},
      {"-1 2\n", ":1: '-1' is not an option"},
      {"-a my file\n", ":1: -a has more than one value: put a value that contains blanks between two \""},
      {"-a \"my # file\"\n", ":1: a \" is not closed"},
      {"alias -a\n", ":1: an alias is: alias -NEW -OLD"},
      {"-options_file\n", ":1: -options_file needs the name of a file"},
      {"-prefix_push\n", ":1: -prefix_push needs a value"},
      {"-options_file /none.opts\n", ":1: -options_file: file '/none.opts' does not exist"},
      {std::string("-a\0b\n", 5), "is a binary file, not a file of options"}};
  for (const auto& [content, words] : cases)
    EXPECT_NE(refusal(content).find(words), std::string::npos) << refusal(content);
}

TEST(OptionsFile, OneThatNamesItselfEnds) {
  const auto path =
      std::filesystem::temp_directory_path() / ("poise-refused-" + std::to_string(getppid()));  // of refusal
  EXPECT_NE(refusal("-options_file " + path.string()).find("name each other without end"), std::string::npos);
}

/// "-" if the option is not set.
std::string value_of(const char* name) {
  char value[64] = "";
  PetscBool set = PETSC_FALSE;
  check(PetscOptionsGetString(nullptr, nullptr, name, value, sizeof value, &set));
  return set == PETSC_TRUE ? value : "-";
}

TEST(TemporaryOptionsTest, OptionsAreSetForAScopeAndThenAsBefore) {
  check(PetscOptionsSetValue(nullptr, "-given", "users"));
  {
    const TemporaryOptions kept({{"-given", "ours"}, {"-fresh", "ours"}}, TemporaryOptions::keep);
    EXPECT_EQ(value_of("-given"), "users");
    EXPECT_EQ(value_of("-fresh"), "ours");
    {
      const TemporaryOptions replaced({{"-given", "inner"}}, TemporaryOptions::replace);
      EXPECT_EQ(value_of("-given"), "inner");
    }
    EXPECT_EQ(value_of("-given"), "users");
  }
  EXPECT_EQ(value_of("-given"), "users");
  EXPECT_EQ(value_of("-fresh"), "-");
  check(PetscOptionsClearValue(nullptr, "-given"));
}

}  // namespace
}  // namespace poise
