#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/own_options.hpp"
#include "poise/petsc/temporary_options.hpp"

namespace poise {
namespace {

TEST(OwnOptions, AreSeenInsideAlone) {
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

}  // namespace
}  // namespace poise
