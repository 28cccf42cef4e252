#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_generators.hpp"
#include "unit/graph/graph_fixture.hpp"

namespace poise {
namespace {

/// Three features of a node: of few values, so that many distances are equal, or of any.
std::vector<double> points(Range nodes, bool ties) {
  const CounterRandom random(1, Stream::graph_features);
  std::vector<double> features;
  for (Index i = nodes.begin; i < nodes.end; ++i)
    for (Index j = 0; j < 3; ++j) {
      const double u = random.uniform(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j));
      features.push_back(ties ? std::floor(4 * u) : u);
    }
  return features;
}

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
  expect_same_on_any_number_of_ranks([](MPI_Comm comm) {
    return stochastic_blocks(comm, {100, 3, 6.0, 1.5, 2});
  });
  for (const bool ties : {true, false})
    expect_same_on_any_number_of_ranks([&](MPI_Comm comm) {
      return nearest_neighbours(comm, points(own_nodes(comm, 700), ties), 3, 700, 4);
    });
}

TEST(Generators, NearestNeighboursAreThoseOfAllPairs) {
  constexpr Index nodes = 90, k = 5;
  const std::vector<double> all = points({0, nodes}, true);
  std::set<std::pair<Index, Index>> expected, found;
  for (Index i = 0; i < nodes; ++i) {
    std::vector<std::pair<double, Index>> others;
    for (Index j = 0; j < nodes; ++j) {
      double squares = 0.0;
      for (Index c = 0; c < 3; ++c) squares += std::pow(all[3 * i + c] - all[3 * j + c], 2);
      if (j != i) others.emplace_back(squares, j);
    }
    std::sort(others.begin(), others.end());
    for (Index n = 0; n < k; ++n) {
      expected.insert({i, others[n].second});
      expected.insert({others[n].second, i});
    }
  }
  const GraphRows graph = gathered(
      nearest_neighbours(MPI_COMM_WORLD, points(own_nodes(MPI_COMM_WORLD, nodes), true), 3, nodes, k));
  for (Index i = 0; i < nodes; ++i)
    for (Index p = graph.starts[i]; p < graph.starts[i + 1]; ++p) found.insert({i, graph.neighbours[p]});
  EXPECT_EQ(found, expected);
}

TEST(Generators, BlocksHaveTheExpectedNeighbours) {
  constexpr Index nodes = 4000, blocks = 4;
  const GraphRows graph = gathered(stochastic_blocks(MPI_COMM_WORLD, {nodes, blocks, 8.0, 2.0, 5}));
  double inside = 0.0, between = 0.0;
  for (Index i = 0; i < nodes; ++i)
    for (Index p = graph.starts[i]; p < graph.starts[i + 1]; ++p)
      (block_of(i, nodes, blocks) == block_of(graph.neighbours[p], nodes, blocks) ? inside : between) += 1.0;
  constexpr double five_deviations = 5.0;  // of a number of edges, each of which counts twice
  EXPECT_NEAR(inside, 8.0 * nodes, five_deviations * 2.0 * std::sqrt(4.0 * nodes));
  EXPECT_NEAR(between, 2.0 * nodes, five_deviations * 2.0 * std::sqrt(1.0 * nodes));
  const GraphRows full = gathered(stochastic_blocks(MPI_COMM_WORLD, {10, 2, 4.0, 5.0, 0}));
  EXPECT_EQ(full.entries(), 10 * 9);
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
           [] { (void)grid(MPI_COMM_WORLD, Index{1} << 40, 2); }, [] { (void)rmat(MPI_COMM_WORLD, 1, 2, 0); },
           [] {
             (void)stochastic_blocks(MPI_COMM_WORLD, {3, 2, 1.0, 1.0, 0});
           },
           [] { (void)nearest_neighbours(MPI_COMM_WORLD, {}, 3, 4, 4); }})
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

TEST(RowBuilder, WeightsStandBesideTheirNeighboursAndConflictsAreNamed) {
  RowBuilder builder(MPI_COMM_WORLD, 6, true);
  builder.add({{5, 2, 0.5}, {5, 2, 0.5}, {5, 0, 3.0}, {0, 4, 2.0}, {1, 1, 9.0}});
  const GraphRows all = gathered(builder.finish(true));
  EXPECT_EQ(all.neighbours, (std::vector<Index>{4, 0, 2}));
  EXPECT_EQ(all.weights, (std::vector<double>{2.0, 3.0, 0.5}));
  EXPECT_FALSE(builder.conflict());
  RowBuilder differing(MPI_COMM_WORLD, 6, true);
  differing.add({{5, 2, 0.5}, {5, 2, 0.25}});
  const GraphRows rows = differing.finish(true);
  ASSERT_EQ(differing.conflict().has_value(), rows.own.end == 6 && rows.own.size() > 0);
  if (!differing.conflict()) return;
  EXPECT_EQ(differing.conflict()->row, 5);
  EXPECT_EQ(differing.conflict()->column, 2);
  EXPECT_EQ(rows.weights, std::vector<double>{0.25});
}

}  // namespace
}  // namespace poise
