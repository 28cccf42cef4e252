#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/ensemble.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

int ranks_of(MPI_Comm comm) {
  int size = 0;
  check_mpi(MPI_Comm_size(comm, &size));
  return size;
}

std::vector<int> divisors(int number) {
  std::vector<int> all;
  for (int d = 1; d <= number; ++d)
    if (number % d == 0) all.push_back(d);
  return all;
}

TEST(Ensemble, EveryMemberRunsOnceOnItsGroupAndAllRanksHaveAllResults) {
  const int size = ranks_of(MPI_COMM_WORLD);
  for (const int ranks : divisors(size)) {
    const std::vector<double> costs{3, 1, 4, 1, 5, 9, 2};
    const auto results = run_members(MPI_COMM_WORLD, ranks, costs, [&](MPI_Comm comm, Index k) {
      EXPECT_EQ(ranks_of(comm), ranks);
      double sum = 1.0;  // a collective of the group
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, comm));
      return std::vector<double>(static_cast<std::size_t>(k), 10.0 * static_cast<double>(k) + sum);
    });
    ASSERT_EQ(results.size(), costs.size());
    for (std::size_t k = 0; k < costs.size(); ++k) {
      EXPECT_EQ(results[k].values, std::vector<double>(k, 10.0 * static_cast<double>(k) + ranks));
      EXPECT_EQ(results[k].error, "");
      EXPECT_LT(results[k].group, size / ranks);
    }
  }
}

TEST(Ensemble, AMemberThatFailsIsNamedAndTheOthersGoOn) {
  const int size = ranks_of(MPI_COMM_WORLD);
  for (const int ranks : divisors(size)) {
    const auto results =
        run_members(MPI_COMM_WORLD, ranks, std::vector<double>(5, 1.0), [](MPI_Comm, Index k) {
          if (k == 2) throw failure("no equilibrium");
          return std::vector<double>{static_cast<double>(k)};
        });
    for (std::size_t k = 0; k < results.size(); ++k) {
      EXPECT_EQ(results[k].error, k == 2 ? "no equilibrium" : "");
      EXPECT_EQ(results[k].values.size(), k == 2 ? 0u : 1u);
    }
  }
}

TEST(Ensemble, GroupsGetEqualShares) {
  const std::vector<double> costs{8, 7, 6, 5, 4};
  const std::vector<int> group = assign_members(costs, 2);
  std::vector<double> load(2);
  for (std::size_t k = 0; k < costs.size(); ++k) load[group[k]] += costs[k];
  EXPECT_LE(std::abs(load[0] - load[1]), 4.0);  // never more than the cheapest
}

TEST(Ensemble, RanksThatDoNotDivideAreRefused) {
  const Member nothing = [](MPI_Comm, Index) { return std::vector<double>{}; };
  EXPECT_THROW((void)run_members(MPI_COMM_WORLD, ranks_of(MPI_COMM_WORLD) + 1, {1.0}, nothing), Error);
}

}  // namespace
}  // namespace poise
