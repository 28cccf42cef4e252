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

/// Is told, on the first rank of its group, what became of a member as soon as it has ended.
using MemberEnded = std::function<void(Index index, const MemberResult& result)>;

/// Collective. Runs independent members at the same time: `world` is cut into groups of `ranks` ranks, and a
/// group that is free takes the next member, the most expensive ones first. `costs`: a relative cost for
/// every member, the same on all ranks; those of equal cost are taken in their order. Returns the results in
/// the order of the members, on all ranks. Which group does a member depends on the time that others take;
/// the first ones are dealt, so that every group has one.
///
/// A member that throws on all ranks of its group leaves its message in `error` and does not disturb the
/// others. If it throws on some ranks only, the others may wait for them for ever: then an Error ends the
/// program after `grace` seconds. Throws bad_input unless `ranks` divides the ranks of `world`.
[[nodiscard]] std::vector<MemberResult> run_members(MPI_Comm world, int ranks,
                                                    const std::vector<double>& costs, const Member& member,
                                                    double grace = 60.0, const MemberEnded& ended = {});

}  // namespace poise
