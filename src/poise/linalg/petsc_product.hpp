#pragma once

#include <map>
#include <string>
#include <utility>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace linalg {

/// Products of one rank's matrix with wide blocks of columns by a PETSc matrix of any dense type of the PETSc
/// at hand (dense, densecuda, densehip). The matrix stays where PETSc keeps it, on a device too; blocks go
/// there and back.
class PetscProduct {
 public:
  /// Not collective. `type`: of the PETSc matrix. Throws bad_input for a type that is not dense or that this
  /// PETSc does not have.
  PetscProduct(Index rows, Index columns, const std::string& type);

  /// y = M x, or Mᵀ x, for p columns, column-major. `entries`: M, row-major, taken again if `changed`.
  void multiply(bool transposed, const double* entries, bool changed, Index p, const double* x, double* y);

 private:
  struct Blocks {
    MatHandle x, y;
  };
  Index rows_, columns_;
  std::string type_;
  MatHandle transpose_;  // Mᵀ: column-major, as PETSc stores it, it is M by rows
  std::map<std::pair<bool, Index>, Blocks> blocks_;
};

}  // namespace linalg
}  // namespace poise
