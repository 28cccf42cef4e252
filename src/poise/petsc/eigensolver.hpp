#pragma once

#include <slepceps.h>

namespace poise {

/// Collective. A new eigensolver with this options prefix. All ranks get the projected problem's solution
/// from one of them: each would compute the same numbers but for rounding that depends on the processor, and
/// what is decided by eigenvalues must be decided alike on every rank.
void create_eigensolver(MPI_Comm comm, const char* prefix, EPS* eps);

}  // namespace poise
