#pragma once

#include <mpi.h>

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace linalg {

/// The transpose of a square matrix whose rows are distributed over a communicator, by one all-to-all
/// exchange. Holds two buffers of the size of this rank's rows.
class SliceTranspose {
 public:
  /// `offsets`: size of comm + 1 numbers from 0 to m; rank r holds rows [o[r], o[r+1]) =: m_r of them, which
  /// may be none. `comm` must outlive this object. Throws failure if the rows of a rank have more entries
  /// than MPI can count.
  SliceTranspose(MPI_Comm comm, const std::vector<Index>& offsets);

  /// Collective. Computes this rank's rows of Mᵀ (`out`, m_r x m, row-major) from its rows of M (m_r x m,
  /// row-major, `stride` entries from row to row); the two must not overlap.
  void apply(const double* rows, Index stride, double* out);

 private:
  MPI_Comm comm_;
  std::vector<Index> offsets_;
  Index rows_ = 0;
  std::vector<int> counts_, displacements_;
  std::vector<double> send_, receive_;
};

}  // namespace linalg
}  // namespace poise
