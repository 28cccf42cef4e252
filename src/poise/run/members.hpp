#pragma once

#include <mpi.h>

#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "poise/base/ensemble.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace run {

/// The state of a member of an ensemble or a study at the end of an attempt. `stopped`: a request to stop has
/// ended it before its end; `waiting`: this attempt did not begin it.
enum class MemberStatus { done, stopped, failed, waiting };
[[nodiscard]] std::string to_string(MemberStatus status);

/// What a member throws, on all ranks of its group, when a request to stop ends it before its end.
struct MemberStopped : std::exception {};

/// The time that a member has.
struct MemberTime {
  double left = 0.0;   ///< seconds to the deadline; infinite if there is none
  bool first = false;  ///< it is the first member of its group in this attempt, which begins in any case
};

/// The members of an ensemble or a study, and how they run.
struct MemberPlan {
  int ranks = 1;              ///< per member
  std::vector<double> costs;  ///< relative cost of every member
  std::vector<int> done;      ///< 1: an earlier attempt has done this member
  double deadline = 0.0;      ///< -deadline
  double grace = 10.0;        ///< see run_members
};

/// How an attempt has ended for a member. `result` is empty unless this attempt has run the member.
struct MemberEnd {
  MemberStatus status = MemberStatus::waiting;
  MemberResult result;
};

/// Computes a member on the ranks of its group. Returns numbers, the same on all ranks of the group, or
/// throws MemberStopped.
using TimedMember = std::function<std::vector<double>(MPI_Comm group, Index member, const MemberTime& time)>;

/// Callbacks on the first rank of a group, as in EnsembleHooks.
struct MemberHooks {
  std::function<bool(Index member)> take;
  std::function<void(Index member, const MemberEnd& end)> ended;
};

/// Collective. An attempt to run the members that are not done, each on a group of ranks (run_members).
/// Before every member, its group looks for requests to stop: after a signal, or after the deadline, it
/// begins no further member. Returns how the attempt has ended for every member, on all ranks.
[[nodiscard]] std::vector<MemberEnd> run_pending_members(MPI_Comm comm, const MemberPlan& plan,
                                                         const TimedMember& member, const MemberHooks& hooks);

/// Not collective. Prints the line of a member that has ended; `text`: its result, or why it failed. Prints
/// nothing for a member that waits.
void print_member_line(MemberStatus status, const std::string& name, const std::string& text, double seconds);

/// Not collective. Prints how many members earlier attempts have done, if any.
void print_done_already(const std::vector<int>& done);

/// "3 done, 1 stopped, 0 failed, 2 waiting".
[[nodiscard]] std::string count_text(const std::vector<MemberStatus>& statuses);
/// Whether a member is stopped or waiting, so that the program must be run again.
[[nodiscard]] bool unfinished(const std::vector<MemberStatus>& statuses);

}  // namespace run
}  // namespace poise
