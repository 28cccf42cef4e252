#include "poise/run/members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/options.hpp"
#include "poise/run/interruptions.hpp"

namespace poise {
inline namespace run {
namespace {

/// One attempt, for this rank's group.
class Attempt {
 public:
  /// Collective.
  Attempt(MPI_Comm comm, double deadline) {
    double seconds = 0.0;
    on_root(comm, [&] { seconds = seconds_to_deadline(deadline); });
    check_mpi(MPI_Bcast(&seconds, 1, MPI_DOUBLE, 0, comm));
    end_ = steady_seconds() + seconds;
  }

  /// Collective on the group. The numbers of the member, then its status.
  std::vector<double> run(MPI_Comm group, Index index, const TimedMember& member) {
    const std::optional<MemberTime> time = time_for_member(group);
    if (!time) return {static_cast<double>(MemberStatus::waiting)};
    begun_ = true;
    try {
      std::vector<double> values = member(group, index, *time);
      values.push_back(static_cast<double>(MemberStatus::done));
      return values;
    } catch (const MemberStopped&) {
      stopped_ = true;
      return {static_cast<double>(MemberStatus::stopped)};
    }
  }

 private:
  /// Nothing after a request to stop.
  [[nodiscard]] std::optional<MemberTime> time_for_member(MPI_Comm group) const {
    double left = end_ - steady_seconds();
    check_mpi(MPI_Bcast(&left, 1, MPI_DOUBLE, 0, group));
    int stop = stop_requested() || stopped_ ? 1 : 0;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, group));
    if (stop != 0 || (begun_ && left <= 0.0)) return std::nullopt;
    return MemberTime{left, !begun_};
  }

  double end_ = 0.0;  // of this rank's steady clock
  bool begun_ = false, stopped_ = false;
};

MemberEnd end_of(MemberResult result) {
  if (!result.error.empty()) return {MemberStatus::failed, std::move(result)};
  const auto status = static_cast<MemberStatus>(static_cast<int>(result.values.at(result.values.size() - 1)));
  result.values.pop_back();
  return {status, std::move(result)};
}

}  // namespace

std::string to_string(MemberStatus status) {
  switch (status) {
    case MemberStatus::done:
      return "done";
    case MemberStatus::stopped:
      return "stopped";
    case MemberStatus::failed:
      return "failed";
    case MemberStatus::waiting:
      break;
  }
  return "waiting";
}

std::vector<MemberEnd> run_pending_members(MPI_Comm comm, const MemberPlan& plan, const TimedMember& member,
                                           const MemberHooks& hooks) {
  std::vector<Index> pending;
  std::vector<double> costs;
  std::vector<MemberEnd> ends(plan.done.size());
  for (std::size_t k = 0; k < ends.size(); ++k) {
    if (plan.done[k] != 0) {
      ends[k].status = MemberStatus::done;
      continue;
    }
    pending.push_back(static_cast<Index>(k));
    costs.push_back(plan.costs[k]);
  }
  Attempt attempt(comm, plan.deadline);
  EnsembleHooks inner;
  if (hooks.take) inner.take = [&](Index p) { return hooks.take(pending[p]); };
  inner.ended = [&](Index p, const MemberResult& result) { hooks.ended(pending[p], end_of(result)); };
  std::vector<MemberResult> results = run_members(
      comm, plan.ranks, costs,
      [&](MPI_Comm group, Index p) { return attempt.run(group, pending[p], member); }, plan.grace, inner);
  for (std::size_t p = 0; p < pending.size(); ++p) ends[pending[p]] = end_of(std::move(results[p]));
  return ends;
}

void print_member_line(MemberStatus status, const std::string& name, const std::string& text,
                       double seconds) {
  if (status == MemberStatus::waiting) return;
  std::printf("%-7s  %s: %s, %.1fs\n", to_string(status).c_str(), name.c_str(), text.c_str(), seconds);
  std::fflush(stdout);
}

void print_done_already(const std::vector<int>& done) {
  const auto count = std::count(done.begin(), done.end(), 1);
  if (count > 0) std::printf("%s done already\n", plural(count, "member").c_str());
}

std::string count_text(const std::vector<MemberStatus>& statuses) {
  const auto count = [&](MemberStatus status) {
    return std::count(statuses.begin(), statuses.end(), status);
  };
  return fmt::format("{} done, {} stopped, {} failed, {} waiting", count(MemberStatus::done),
                     count(MemberStatus::stopped), count(MemberStatus::failed), count(MemberStatus::waiting));
}

bool unfinished(const std::vector<MemberStatus>& statuses) {
  return std::any_of(statuses.begin(), statuses.end(), [](MemberStatus status) {
    return status == MemberStatus::stopped || status == MemberStatus::waiting;
  });
}

}  // namespace run
}  // namespace poise
