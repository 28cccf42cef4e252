#include "poise/run/sample_source.hpp"

#include <gtest/gtest.h>

#include <set>

namespace poise {
namespace {

// Two rows that exchange their values must change the fingerprint of the data, in every set.
TEST(SampleSource, TheMarksOfAllRowsAndSetsDiffer) {
  std::set<std::uint64_t> marks;
  for (std::uint64_t set = 0; set < 5; ++set)
    for (Index row = 0; row < 100; ++row) marks.insert(mark_of(row, set, 7));
  EXPECT_EQ(marks.size(), 500U);
}

}  // namespace
}  // namespace poise
