#include <gtest/gtest.h>
#include <petscsys.h>

#include <string>

#include "poise/base/check.hpp"
#include "poise/petsc/temporary_options.hpp"

namespace poise {
namespace {

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
