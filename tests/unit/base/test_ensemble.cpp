#include <gtest/gtest.h>

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

TEST(Ensemble, GroupsThatAreFreeTakeTheNextMember) {
  const int size = ranks_of(MPI_COMM_WORLD);
  for (const int ranks : divisors(size)) {
    const int groups = size / ranks;
    if (groups == 1) continue;
    // The first group does nothing but its first member, which waits for all others to end.
    constexpr int members = 9;
    const std::vector<double> costs(members, 1.0);
    const auto results = run_members(MPI_COMM_WORLD, ranks, costs, [&](MPI_Comm comm, Index k) {
      int rank = 0;
      check_mpi(MPI_Comm_rank(comm, &rank));
      if (rank == 0 && k > 0) check_mpi(MPI_Send(nullptr, 0, MPI_INT, 0, 0, MPI_COMM_WORLD));
      for (int other = 1; rank == 0 && k == 0 && other < members; ++other)
        check_mpi(MPI_Recv(nullptr, 0, MPI_INT, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
      return std::vector<double>{static_cast<double>(k)};
    });
    for (int k = 0; k < members; ++k) {
      EXPECT_EQ(results[k].group == 0, k == 0) << k;
      if (k < groups) {
        EXPECT_EQ(results[k].group, k);  // dealt
      }
      EXPECT_EQ(results[k].values, std::vector<double>{static_cast<double>(k)});
    }
  }
}

TEST(Ensemble, TheMostExpensiveMembersComeFirst) {
  std::vector<Index> order;
  (void)run_members(MPI_COMM_WORLD, ranks_of(MPI_COMM_WORLD), {3, 1, 4, 1, 5}, [&](MPI_Comm, Index k) {
    order.push_back(k);
    return std::vector<double>{};
  });
  EXPECT_EQ(order, (std::vector<Index>{4, 2, 0, 1, 3}));
}

TEST(Ensemble, TheEndOfEveryMemberIsToldOnceWhenItComes) {
  const int size = ranks_of(MPI_COMM_WORLD);
  int rank = 0;
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
  for (const int ranks : divisors(size)) {
    std::vector<int> told(5, 0);
    const auto results = run_members(
        MPI_COMM_WORLD, ranks, std::vector<double>(5, 1.0),
        [&](MPI_Comm, Index k) {
          if (k == 3) throw failure("no equilibrium");
          return std::vector<double>{1.0};
        },
        60.0,
        [&](Index k, const MemberResult& result) {
          EXPECT_EQ(rank % ranks, 0);
          EXPECT_EQ(result.error.empty(), k != 3);
          ++told[k];
        });
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
    // A part of a group is no group.
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
