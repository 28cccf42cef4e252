#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <limits>

#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/base/text.hpp"

namespace poise {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(Brief, GivesTheDigitsOfPrintf) {
  for (const double value : {0.0, -0.0, 1.0, -1.5, 1.0 / 3.0, 123456.7, 1234567.8, 9.9999996e5, 1e-4, 1e-5,
                             2.5, 0.125, 1e300, 5e-324, infinity, -infinity, nan})
    for (const int digits : {1, 3, 4, 6, 9, 10}) {
      char expected[32];
      std::snprintf(expected, sizeof expected, "%.*g", digits, value);
      EXPECT_EQ(brief(value, digits), expected);
    }
}

TEST(JsonNumber, IsNullWhereJsonHasNone) {
  EXPECT_EQ(json_number(32.0), "32");
  EXPECT_EQ(json_number(0.1), "0.1");
  for (const double none : {infinity, -infinity, nan}) EXPECT_EQ(json_number(none), "null");
}

TEST(TypedValue, IsTheValueOfItsText) {
  const OptionKinds kinds{{"real", OptionKind::real},
                          {"whole", OptionKind::integer},
                          {"flag", OptionKind::flag},
                          {"text", OptionKind::text}};
  const auto expect = [&](const std::string& name, const std::string& text, const OptionValue& value) {
    EXPECT_EQ(typed_value(name, text, kinds), value) << name << " " << text;
    EXPECT_EQ(typed_value(name, text_of(value), kinds), value) << name << " " << text;
  };
  expect("real", "3", 3.0);
  expect("real", "0.10", 0.1);
  expect("real", "inf", infinity);
  expect("whole", "9007199254740993", Index{9007199254740993});
  expect("flag", "false", false);
  for (const char* text : {"true", "1", "0.5", ""}) expect("text", text, std::string(text));
  expect("petsc", "12", Index{12});
  expect("petsc", "1e-8", 1e-8);
  expect("petsc", "true", true);
  for (const char* text : {"012", "", "1 2", "gmres", "0x10"}) expect("petsc", text, std::string(text));
}

TEST(SameValue, ComparesNumbersByTheirValues) {
  EXPECT_TRUE(same_value("0.80", "0.8"));
  EXPECT_TRUE(same_value("1e+06", "1000000"));
  EXPECT_TRUE(same_value("gmres", "gmres"));
  EXPECT_FALSE(same_value("0.8", "0.81"));
  EXPECT_FALSE(same_value("", "0"));
}

TEST(Warn, IsPrintedOnlyByTheFirstRankOfAGroup) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  testing::internal::CaptureStderr();
  warn(MPI_COMM_WORLD, "100% of \"it\"");
  warn(MPI_COMM_SELF, "here");
  warn("there");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            std::string(rank == 0 ? "poise: warning: 100% of \"it\"\n" : "") +
                "poise: warning: here\npoise: warning: there\n");
}

}  // namespace
}  // namespace poise
