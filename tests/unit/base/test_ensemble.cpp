#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/agree.hpp"
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
  EXPECT_LE(std::abs(load[0] - load[1]), 4.0);  // loads differ by at most the cheapest job
}

TEST(Ensemble, EveryGroupHasOneMemberAndAHookSaysWhoTakesTheOthers) {
  const int size = ranks_of(MPI_COMM_WORLD);
  int rank = 0;
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  const Member nothing = [](MPI_Comm, Index) { return std::vector<double>{}; };
  for (const int ranks : divisors(size)) {
    const int groups = size / ranks;
    std::vector<Index> asked;
    EnsembleHooks hooks;
    hooks.take = [&](Index k) {
      asked.push_back(k);
      return rank / ranks == (k == 0 ? 0 : groups - 1);
    };
    const auto results = run_members(MPI_COMM_WORLD, ranks, {1, 3, 2, 3, 2, 4}, nothing, 60.0, hooks);
    const std::vector<Index> order{5, 1, 3, 2, 4, 0};
    for (int p = 0; p < 6; ++p)
      EXPECT_EQ(results[order[p]].group, p < groups ? p : order[p] == 0 ? 0 : groups - 1);
    EXPECT_EQ(asked, rank % ranks == 0 ? std::vector<Index>(order.begin() + groups, order.end())
                                       : std::vector<Index>{});
    hooks.take = [](Index) { return false; };
    EXPECT_THROW((void)run_members(MPI_COMM_WORLD, ranks, {1, 1, 1, 1, 1}, nothing, 60.0, hooks), Error);
  }
}

TEST(Ensemble, TheEndOfEveryMemberIsToldOnceWhenItComes) {
  const int size = ranks_of(MPI_COMM_WORLD);
  int rank = 0;
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  for (const int ranks : divisors(size)) {
    std::vector<int> told(5, 0);
    EnsembleHooks hooks;
    hooks.ended = [&](Index k, const MemberResult& result) {
      EXPECT_EQ(rank % ranks, 0);
      EXPECT_EQ(result.error.empty(), k != 3);
      ++told[k];
    };
    (void)run_members(
        MPI_COMM_WORLD, ranks, std::vector<double>(5, 1.0),
        [&](MPI_Comm, Index k) {
          if (k == 3) throw failure("no equilibrium");
          return std::vector<double>{1.0};
        },
        60.0, hooks);
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, told.data(), 5, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    EXPECT_EQ(told, std::vector<int>(5, 1));
  }
}

TEST(Ensemble, AnErrorOfAllRanksOfAGroupIsCollective) {
  const int size = ranks_of(MPI_COMM_WORLD);
  for (const int ranks : divisors(size)) {
    const auto results = run_members(MPI_COMM_WORLD, ranks, {1.0, 1.0, 1.0}, [&](MPI_Comm comm, Index) {
      try {
        on_root(comm, [] { throw failure("on the first"); });
      } catch (const Error& error) {
        return std::vector<double>{error.collective() ? 1.0 : 0.0};
      }
      return std::vector<double>{};
    });
    for (const auto& result : results) EXPECT_EQ(result.values, std::vector<double>{1.0});
    // Ranks must fill their groups.
    int rank = 0;
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    try {
      on_root(MPI_COMM_SELF, [] { throw failure("alone"); });
    } catch (const Error& error) {
      EXPECT_EQ(error.collective(), size == 1);
    }
  }
}

TEST(Ensemble, RanksThatDoNotDivideAreRefused) {
  const Member nothing = [](MPI_Comm, Index) { return std::vector<double>{}; };
  EXPECT_THROW((void)run_members(MPI_COMM_WORLD, ranks_of(MPI_COMM_WORLD) + 1, {1.0}, nothing), Error);
}

}  // namespace
}  // namespace poise
