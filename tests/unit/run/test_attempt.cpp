#include <gtest/gtest.h>

#include <map>
#include <string>

#include "poise/run/provenance.hpp"

namespace poise {
namespace {

TEST(Attempt, OnlyOptionsThatDifferAreRecorded) {
  const RunFile::Config first{{"data", "a b.h5"}, {"gamma", "0.8"}, {"mat_type", ""}};
  EXPECT_EQ(changed_options({}, first), "-data a b.h5\n-gamma 0.8\n-mat_type\n");
  EXPECT_EQ(changed_options(first, first), "");
  EXPECT_EQ(changed_options(first, {{"data", "a b.h5"}, {"gamma", "0.9"}, {"steps", "3"}}),
            "-gamma 0.9\n-steps 3\n# -mat_type\n");
}

TEST(Attempt, ItsRanksAreOnOneNodeHere) {
  const RunFile::Named named = describe_attempt(MPI_COMM_WORLD);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank != 0) return;  // only rank 0 has the result
  const std::map<std::string, H5Value> values(named.begin(), named.end());
  EXPECT_EQ(values.at("nodes"), H5Value(Index{1}));
  EXPECT_EQ(std::get<std::string>(values.at("hosts")).find(' '), std::string::npos);
  EXPECT_NE(values.at("processor"), H5Value(std::string()));
}

}  // namespace
}  // namespace poise
