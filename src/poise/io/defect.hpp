#pragma once

#include <mpi.h>

#include <limits>
#include <string>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace io {

/// The first thing wrong with the values that this rank has read.
struct Defect {
  static constexpr Index none = std::numeric_limits<Index>::max();
  Index row = none;
  std::string message = {};
};

/// Collective. Throws bad_input with the defect of the lowest row over all ranks, on every rank; of two ranks
/// with the same row, the lower one counts.
void throw_first(MPI_Comm comm, const Defect& defect);

}  // namespace io
}  // namespace poise
