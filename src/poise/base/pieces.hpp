#pragma once

#include <mpi.h>

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// Collective. Cuts `own`, which may be empty and differ from rank to rank, into pieces of at most `longest`
/// indices, and calls `visit` with them. Every rank calls `visit` equally often, at the end with empty
/// pieces, so that it may communicate.
template <class Visit>
void for_pieces(MPI_Comm comm, Range own, Index longest, const Visit& visit) {
  Index pieces = (own.size() + longest - 1) / longest;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &pieces, 1, MPI_INT64_T, MPI_MAX, comm));
  for (Index piece = 0; piece < pieces; ++piece) {
    const Index begin = std::min(own.begin + piece * longest, own.end);
    visit(Range{begin, std::min(begin + longest, own.end)});
  }
}

}  // namespace base
}  // namespace poise
