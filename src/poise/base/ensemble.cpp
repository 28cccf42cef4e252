#include "poise/base/ensemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <thread>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace base {
namespace {

/// Owns a communicator.
class Group {
 public:
  Group(MPI_Comm world, int colour) { check_mpi(MPI_Comm_split(world, colour, 0, &comm_)); }
  ~Group() { MPI_Comm_free(&comm_); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  [[nodiscard]] MPI_Comm comm() const { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

/// Collective on the group. Whether any rank failed; throws on a failed rank if some rank does not arrive
/// here.
bool any_failed(MPI_Comm comm, bool failed, const std::string& error, double grace) {
  int any = failed ? 1 : 0;
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, comm, &request));
  const double start = steady_seconds();
  for (int done = 0;;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done != 0) return any != 0;
    // Only a failed rank gives up after `grace` seconds: the others may have to wait for a slow rank.
    if (failed && steady_seconds() - start > grace)
      throw failure("a member of the ensemble failed on some of its ranks only: " + error);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

MemberResult run_member(MPI_Comm comm, Index index, const Member& member, double grace) {
  MemberResult result;
  const double start = steady_seconds();
  const GroupScope scope(comm);
  try {
    result.values = member(comm, index);
  } catch (const std::exception& e) {
    result.error = *e.what() != '\0' ? e.what() : "unknown error";
  }
  if (any_failed(comm, !result.error.empty(), result.error, grace)) {
    result.values.clear();
    if (result.error.empty()) result.error = "failed on another rank of its group";
  }
  result.seconds = steady_seconds() - start;
  return result;
}

/// Collective. Copies the result of `root` to all ranks.
void share(MPI_Comm world, int root, MemberResult& result) {
  double sizes[2] = {static_cast<double>(result.values.size()), result.seconds};
  check_mpi(MPI_Bcast(sizes, 2, MPI_DOUBLE, root, world));
  result.values.resize(static_cast<std::size_t>(sizes[0]));
  result.seconds = sizes[1];
  check_mpi(
      MPI_Bcast(result.values.data(), mpi_count(static_cast<Index>(sizes[0])), MPI_DOUBLE, root, world));
  result.error = broadcast(world, result.error, root);
}

std::vector<Index> most_expensive_first(const std::vector<double>& costs) {
  std::vector<Index> order(costs.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return costs[a] > costs[b]; });
  return order;
}

}  // namespace

std::vector<int> assign_members(const std::vector<double>& costs, int groups) {
  std::vector<double> load(static_cast<std::size_t>(groups));
  std::vector<int> group_of(costs.size());
  for (const Index k : most_expensive_first(costs)) {
    const auto least = std::min_element(load.begin(), load.end());
    group_of[k] = static_cast<int>(least - load.begin());
    *least += costs[k];
  }
  return group_of;
}

std::vector<MemberResult> run_members(MPI_Comm world, int ranks, const std::vector<double>& costs,
                                      const Member& member, double grace, const EnsembleHooks& hooks) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(world, &rank));
  check_mpi(MPI_Comm_size(world, &size));
  if (ranks < 1 || size % ranks != 0)
    throw Error(ExitCode::bad_input,
                fmt::format("{} ranks per member do not divide the {} ranks of this run", ranks, size), true);
  const int mine = rank / ranks;
  const bool first = rank % ranks == 0;
  const Group group(world, mine);
  const std::vector<Index> order = most_expensive_first(costs);
  const std::vector<int> assigned = assign_members(costs, size / ranks);
  const auto take = [&](int position) {
    if (!hooks.take) return assigned[order[position]] == mine;
    return position < size / ranks ? position == mine : hooks.take(order[position]);
  };
  std::vector<MemberResult> results(costs.size());
  std::vector<int> group_of(costs.size(), -1);
  for (int position = 0; position < static_cast<int>(order.size()); ++position) {
    const Index k = order[position];
    int taken = first && take(position) ? 1 : 0;
    check_mpi(MPI_Bcast(&taken, 1, MPI_INT, 0, group.comm()));
    if (taken == 0) continue;
    results[k] = run_member(group.comm(), k, member, grace);
    results[k].group = group_of[k] = mine;
    if (first && hooks.ended) hooks.ended(k, results[k]);
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, group_of.data(), mpi_count(static_cast<Index>(group_of.size())),
                          MPI_INT, MPI_MAX, world));
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (group_of[k] < 0) throw Error(ExitCode::failed, "a member of the ensemble went to no group", true);
    results[k].group = group_of[k];
    share(world, group_of[k] * ranks, results[k]);
  }
  return results;
}

}  // namespace base
}  // namespace poise
