#pragma once

#include <map>
#include <string>
#include <utility>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace linalg {

/// Products of a matrix that one rank holds with wide blocks of columns, computed by a PETSc matrix of any
/// dense type that the installed PETSc has (dense, densecuda, densehip). The matrix stays in PETSc's memory,
/// which may be on a device; the blocks are copied there and back.
class PetscProduct {
 public:
  /// Not collective. `type`: the type of the PETSc matrix. Throws bad_input if the type is not dense or if
  /// the installed PETSc does not have it.
  PetscProduct(Index rows, Index columns, const std::string& type);

  /// y = M x, or Mᵀ x, for p columns, column-major. `entries`: M, row-major; copied only if `changed`.
  void multiply(bool transposed, const double* entries, bool changed, Index p, const double* x, double* y);

 private:
  struct Blocks {
    MatHandle x, y;
  };
  Index rows_, columns_;
  std::string type_;
  MatHandle transpose_;  // Mᵀ; in PETSc's column-major order it equals M in row-major order
  std::map<std::pair<bool, Index>, Blocks> blocks_;
};

}  // namespace linalg
}  // namespace poise
