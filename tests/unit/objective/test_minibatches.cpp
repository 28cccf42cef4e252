#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "poise/base/error.hpp"
#include "poise/objective/minibatches.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using Samples = std::vector<Index>;

/// The samples of a batch, collected from all ranks of grid.sample(), ascending.
Samples gathered(const ProcessGrid& grid, Index n, const Batch& batch) {
  Samples own;
  for (const Index i : batch.local) own.push_back(grid.samples(n).begin + i);
  const int count = static_cast<int>(own.size());
  std::vector<int> counts(static_cast<std::size_t>(grid.sample_ranks()));
  MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, grid.sample());
  std::vector<int> offsets(counts.size(), 0);
  std::partial_sum(counts.begin(), counts.end() - 1, offsets.begin() + 1);
  Samples all(static_cast<std::size_t>(offsets.back() + counts.back()));
  MPI_Allgatherv(own.data(), count, MPI_INT64_T, all.data(), counts.data(), offsets.data(), MPI_INT64_T,
                 grid.sample());
  return all;
}

TEST(MinibatchTest, BatchesOfAnEpochAreDisjointAndCoverAllButTheRemainder) {
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    for (const auto& [n, b] : {std::pair<Index, Index>{103, 10}, {64, 16}, {7, 1}, {7, 7}, {7, 4}, {1, 1}}) {
      const Minibatches batches(grid.samples(n), n, b, 5);
      EXPECT_EQ(batches.batches_per_epoch(), n / b);
      for (Index epoch = 0; epoch < 3; ++epoch) {
        std::set<Index> seen;
        for (Index k = 0; k < n / b; ++k) {
          const Batch batch = batches.at(epoch * (n / b) + k);
          EXPECT_FALSE(batch.all);
          EXPECT_EQ(batch.total, b);
          EXPECT_TRUE(std::is_sorted(batch.local.begin(), batch.local.end()));
          const Samples samples = gathered(grid, n, batch);
          EXPECT_EQ(static_cast<Index>(samples.size()), b);
          for (const Index i : samples) EXPECT_TRUE(0 <= i && i < n);
          seen.insert(samples.begin(), samples.end());
        }
        EXPECT_EQ(static_cast<Index>(seen.size()), n / b * b);
      }
    }
  }
}

TEST(MinibatchTest, WithItsRemainderAnEpochHasEverySampleOnce) {
  const ProcessGrid grid(MPI_COMM_WORLD, 1);
  for (const auto& [n, b] : {std::pair<Index, Index>{103, 10}, {64, 16}, {7, 4}, {7, 7}, {1, 1}}) {
    const Minibatches batches(grid.samples(n), n, b, 5, true);
    const Index whole = n / b, in_all = whole + (n % b > 0 ? 1 : 0);
    EXPECT_EQ(batches.batches_per_epoch(), in_all);
    for (Index epoch = 0; epoch < 3; ++epoch) {
      Samples seen;
      for (Index k = 0; k < in_all; ++k) {
        const Batch batch = batches.at(epoch * in_all + k);
        EXPECT_EQ(batch.total, k < whole ? b : n % b);
        const Samples samples = gathered(grid, n, batch);
        EXPECT_EQ(static_cast<Index>(samples.size()), batch.total);
        seen.insert(seen.end(), samples.begin(), samples.end());
      }
      std::sort(seen.begin(), seen.end());
      Samples all(static_cast<std::size_t>(n));
      std::iota(all.begin(), all.end(), Index{0});
      EXPECT_EQ(seen, all);
    }
  }
}

TEST(MinibatchTest, BatchesAreTheSameOnEveryGrid) {
  const ProcessGrid alone(MPI_COMM_SELF);
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const Minibatches batches(grid.samples(103), 103, 10, 5);
    const Minibatches reference(alone.samples(103), 103, 10, 5);
    for (Index step = 0; step < 35; ++step)
      EXPECT_EQ(gathered(grid, 103, batches.at(step)), reference.at(step).local);
  }
}

TEST(MinibatchTest, AnyStepIsKnownWithoutTheOnesBefore) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const Minibatches in_order(grid.samples(50), 50, 8, 3);
  std::vector<Samples> batches;
  for (Index step = 0; step < 40; ++step) batches.push_back(in_order.at(step).local);
  const Minibatches jumping(grid.samples(50), 50, 8, 3);
  for (const Index step : {37, 2, 39, 0, 2, 17})
    EXPECT_EQ(jumping.at(step).local, batches[static_cast<std::size_t>(step)]);
}

TEST(MinibatchTest, EpochsAndSeedsDiffer) {
  const ProcessGrid alone(MPI_COMM_SELF);
  const Minibatches one(alone.samples(100), 100, 20, 1);
  const Minibatches two(alone.samples(100), 100, 20, 2);
  EXPECT_NE(one.at(0).local, one.at(1).local);
  EXPECT_NE(one.at(0).local, one.at(5).local);
  EXPECT_NE(one.at(0).local, two.at(0).local);
}

TEST(MinibatchTest, PlacesAreABijection) {
  const ProcessGrid alone(MPI_COMM_SELF);
  for (Index n = 1; n < 70; ++n) {
    const Minibatches batches(alone.samples(n), n, 1, 9);
    std::set<Index> places;
    for (Index i = 0; i < n; ++i) places.insert(batches.place(4, i));
    EXPECT_EQ(static_cast<Index>(places.size()), n);
    EXPECT_EQ(*places.begin(), 0);
    EXPECT_EQ(*places.rbegin(), n - 1);
  }
}

/// Σ (observed − expected)²/expected over equally likely cells.
double chi_square(const std::vector<Index>& counts) {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), Index{0}));
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0.0;
  for (const Index count : counts) {
    const double difference = static_cast<double>(count) - expected;
    sum += difference * difference / expected;
  }
  return sum;
}

TEST(MinibatchTest, PlacesAndPairsOfPlacesAreUniform) {
  const ProcessGrid alone(MPI_COMM_SELF);
  for (const Index n : {3, 5, 13}) {
    const Minibatches batches(alone.samples(n), n, 1, 17);
    std::vector<Index> place(static_cast<std::size_t>(n), 0);
    std::vector<Index> distance(static_cast<std::size_t>(n - 1), 0);  // of two neighbours, modulo n
    for (Index epoch = 0; epoch < 4000; ++epoch) {
      const Index first = batches.place(epoch, 0);
      const Index second = batches.place(epoch, 1);
      ++place[static_cast<std::size_t>(first)];
      ++distance[static_cast<std::size_t>((second - first + n) % n - 1)];
    }
    // Five standard deviations above the mean of chi-square with k degrees of freedom, √(2k).
    const auto limit = [](Index k) {
      return static_cast<double>(k) + 5.0 * std::sqrt(2.0 * static_cast<double>(k));
    };
    EXPECT_LT(chi_square(place), limit(n - 1)) << n;
    EXPECT_LT(chi_square(distance), limit(n - 2)) << n;
  }
}

TEST(MinibatchTest, ABatchThatTheDataCannotFillIsBadInput) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  for (const Index batch : {Index{0}, Index{-3}, Index{11}}) {
    try {
      const Minibatches batches(grid.samples(10), 10, batch, 0);
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_TRUE(error.collective());
      EXPECT_NE(std::string(error.what()).find("-batch " + std::to_string(batch)), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("n = 10"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace poise
