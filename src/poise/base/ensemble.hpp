#pragma once

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// The result of one member of an ensemble.
struct MemberResult {
  std::vector<double> values;  ///< the member's return value; empty if it failed
  std::string error;           ///< why it failed; empty if it did not
  int group = 0;               ///< the group of ranks that ran it
  double seconds = 0.0;
};

/// Computes a member on the communicator of its group and returns numbers, the same on all ranks of the
/// group.
using Member = std::function<std::vector<double>(MPI_Comm comm, Index index)>;

/// Callbacks that assign members to groups and receive results. Both are called only on the first rank of a
/// group.
struct EnsembleHooks {
  /// Whether this group runs a member. A group that is free asks for one member after the other, the most
  /// expensive ones first. It does not ask for its first member, which it gets in any case. Must return true
  /// to exactly one group. If empty, assign_members decides.
  std::function<bool(Index index)> take;
  /// Receives the result of a member as soon as the member has ended.
  std::function<void(Index index, const MemberResult& result)> ended;
};

/// Collective. Runs independent members at the same time: `world` is split into groups of `ranks` ranks, and
/// each member goes to the group with the least total cost, the most expensive members first (unless `hooks`
/// decide). `costs`: a relative cost for every member, the same on all ranks; members of equal cost keep
/// their order. Returns the results in the order of the members, on all ranks.
///
/// If a member throws on all ranks of its group, its result has the message in `error`, and the other members
/// are not disturbed. If it throws on some ranks only, the others may wait for ever: then an Error ends the
/// program after `grace` seconds. Throws bad_input unless `ranks` divides the number of ranks of `world`.
[[nodiscard]] std::vector<MemberResult> run_members(MPI_Comm world, int ranks,
                                                    const std::vector<double>& costs, const Member& member,
                                                    double grace = 10.0, const EnsembleHooks& hooks = {});

/// The group of each member; every entry is below `groups`.
[[nodiscard]] std::vector<int> assign_members(const std::vector<double>& costs, int groups);

}  // namespace base
}  // namespace poise
