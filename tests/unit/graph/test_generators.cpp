#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "poise/base/error.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_generators.hpp"
#include "unit/graph/graph_fixture.hpp"

namespace poise {
namespace {

void expect_sound(const GraphRows& own) {
  const GraphRows all = gathered(own);
  ASSERT_EQ(static_cast<Index>(all.starts.size()), all.nodes + 1);
  std::set<std::pair<Index, Index>> entries;
  for (Index i = 0; i < all.nodes; ++i)
    for (Index k = all.starts[i]; k < all.starts[i + 1]; ++k) {
      ASSERT_NE(all.neighbours[k], i);
      ASSERT_TRUE(k == all.starts[i] || all.neighbours[k - 1] < all.neighbours[k]);
      entries.insert({i, all.neighbours[k]});
    }
  for (const auto& [i, j] : entries) EXPECT_TRUE(entries.contains({j, i})) << i << " " << j;
}

/// The graph that the world makes is the one that a rank alone makes.
template <class Make>
void expect_same_on_any_number_of_ranks(const Make& make) {
  const GraphRows together = gathered(make(MPI_COMM_WORLD));
  const GraphRows alone = make(MPI_COMM_SELF);
  EXPECT_EQ(together.starts, alone.starts);
  EXPECT_EQ(together.neighbours, alone.neighbours);
  expect_sound(make(MPI_COMM_WORLD));
}

TEST(Generators, GraphsDoNotDependOnTheNumberOfRanks) {
  expect_same_on_any_number_of_ranks([](MPI_Comm comm) { return chains(comm, 3, 7); });
  expect_same_on_any_number_of_ranks([](MPI_Comm comm) { return grid(comm, 5, 4); });
  expect_same_on_any_number_of_ranks([](MPI_Comm comm) { return grid(comm, 1, 2); });
  expect_same_on_any_number_of_ranks([](MPI_Comm comm) { return rmat(comm, 300, 1000, 7); });
}

TEST(Generators, AChainHasTwoEndsAndNoEdgeToTheNext) {
  const GraphRows all = gathered(chains(MPI_COMM_WORLD, 2, 3));
  EXPECT_EQ(all.neighbours, (std::vector<Index>{1, 0, 2, 1, 4, 3, 5, 4}));
  const GraphStatistics s = statistics_of(MPI_COMM_WORLD, chains(MPI_COMM_WORLD, 4, 6));
  EXPECT_EQ(s.entries, 2 * 4 * 5);
  EXPECT_EQ(s.components, 4);
  EXPECT_EQ(s.smallest_degree, 1);
  EXPECT_EQ(s.largest_degree, 2);
}

TEST(Generators, AGridHasFourCornersOfDegreeTwo) {
  const GraphRows all = gathered(grid(MPI_COMM_WORLD, 4, 5));
  std::vector<Index> degrees(5, 0);
  for (Index i = 0; i < all.nodes; ++i)
    ++degrees[static_cast<std::size_t>(all.starts[i + 1] - all.starts[i])];
  EXPECT_EQ(degrees, (std::vector<Index>{0, 0, 4, 10, 6}));
  EXPECT_EQ(statistics_of(MPI_COMM_WORLD, grid(MPI_COMM_WORLD, 4, 5)).components, 1);
  const GraphStatistics lonely = statistics_of(MPI_COMM_WORLD, grid(MPI_COMM_WORLD, 1, 1));
  EXPECT_EQ(lonely.isolated, 1);
  EXPECT_EQ(lonely.components, 1);
}

TEST(Generators, ComponentsAreThoseOfASearch) {
  const GraphRows own = rmat(MPI_COMM_WORLD, 500, 400, 1);
  const GraphRows all = gathered(own);
  std::vector<bool> seen(500, false);
  Index components = 0;
  for (Index start = 0; start < 500; ++start) {
    if (seen[start]) continue;
    ++components;
    std::vector<Index> open{start};
    seen[start] = true;
    while (!open.empty()) {
      const Index i = open.back();
      open.pop_back();
      for (Index k = all.starts[i]; k < all.starts[i + 1]; ++k)
        if (!seen[all.neighbours[k]]) seen[all.neighbours[k]] = true, open.push_back(all.neighbours[k]);
    }
  }
  EXPECT_GT(components, 10);
  EXPECT_EQ(statistics_of(MPI_COMM_WORLD, own).components, components);
}

TEST(Generators, AnRmatGraphIsSkewedAndDependsOnItsSeed) {
  const GraphRows own = rmat(MPI_COMM_WORLD, 1000, 8000, 3);
  const GraphStatistics s = statistics_of(MPI_COMM_WORLD, own);
  EXPECT_LT(s.entries, 2 * 8000);
  EXPECT_GT(s.entries, 8000);
  EXPECT_GT(s.largest_degree, 10 * s.entries / s.nodes);
  EXPECT_NE(gathered(own).neighbours, gathered(rmat(MPI_COMM_WORLD, 1000, 8000, 4)).neighbours);
}

TEST(Generators, WrongSizesAreRefused) {
  for (const auto& make : std::vector<std::function<void()>>{
           [] { (void)chains(MPI_COMM_WORLD, 0, 3); }, [] { (void)grid(MPI_COMM_WORLD, 3, 0); },
           [] { (void)grid(MPI_COMM_WORLD, Index{1} << 40, 2); },
           [] { (void)rmat(MPI_COMM_WORLD, 1, 2, 0); }})
    EXPECT_NE(message_of(make).find("at least"), std::string::npos) << message_of(make);
}

TEST(RowBuilder, CountsDoublesAndSelfLoopsOfAllRanks) {
  RowBuilder builder(MPI_COMM_WORLD, 6);
  builder.add({{5, 2}, {5, 2}, {1, 1}, {0, 4}});
  builder.add({});
  const GraphRows all = gathered(builder.finish(true));
  EXPECT_EQ(all.neighbours, (std::vector<Index>{4, 2}));
  EXPECT_EQ(all.starts, (std::vector<Index>{0, 1, 1, 1, 1, 1, 2}));
  EXPECT_EQ(builder.self_loops(), world_size());
  EXPECT_EQ(builder.doubles(), 3 * world_size() - 2);
}

}  // namespace
}  // namespace poise
