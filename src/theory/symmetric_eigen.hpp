#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Eigenvalues (ascending) of the n x n symmetric `matrix`, column-major; its columns become the unit
/// eigenvectors. LAPACK on this rank alone. Throws failure if LAPACK does.
[[nodiscard]] std::vector<double> symmetric_eigen(Index n, std::vector<double>& matrix);

}  // namespace poise
