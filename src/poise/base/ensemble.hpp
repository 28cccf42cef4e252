#pragma once

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// What became of one member of an ensemble.
struct MemberResult {
  std::vector<double> values;  ///< what the member returned; empty if it failed
  std::string error;           ///< why it failed; empty if it did not
  int group = 0;               ///< which group of ranks did it
  double seconds = 0.0;
};

/// Computes a member on a communicator of its group's ranks and returns numbers, the same on all of them.
using Member = std::function<std::vector<double>(MPI_Comm comm, Index index)>;

/// How members go to groups, and who hears of them. Both are called on the first rank of a group alone.
struct EnsembleHooks {
  /// Whether this group does a member: asked for one member after the other, the most expensive ones first,
  /// whenever the group is free, but for the first ones, of which every group has one. Must say yes to one
  /// group alone. None: by assign_members.
  std::function<bool(Index index)> take;
  /// Is told what became of a member as soon as it has ended.
  std::function<void(Index index, const MemberResult& result)> ended;
};

/// Collective. Runs independent members at the same time: `world` is cut into groups of `ranks` ranks, and
/// each member goes to the group with the least to do, the most expensive ones first (or as `hooks` say).
/// `costs`: a relative cost for every member, the same on all ranks; those of equal cost keep their order.
/// Returns the results in the order of the members, on all ranks.
///
/// A member that throws on all ranks of its group leaves its message in `error` and does not disturb the
/// others. If it throws on some ranks only, the others may wait for them for ever: then an Error ends the
/// program after `grace` seconds. Throws bad_input unless `ranks` divides the ranks of `world`.
[[nodiscard]] std::vector<MemberResult> run_members(MPI_Comm world, int ranks,
                                                    const std::vector<double>& costs, const Member& member,
                                                    double grace = 10.0, const EnsembleHooks& hooks = {});

/// Which group each member goes to; every entry is below `groups`.
[[nodiscard]] std::vector<int> assign_members(const std::vector<double>& costs, int groups);

}  // namespace poise
