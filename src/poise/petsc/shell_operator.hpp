#pragma once

#include <petscpc.h>

#include <functional>
#include <memory>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace petsc {

/// y = Op(x) on the local entries of two Vecs. The function may communicate on the operator's communicator.
using LinearMap = std::function<void(const double* x, double* y)>;

/// The one adapter between C++ functions and PETSc's solvers: a square shell Mat whose products are `apply`
/// and, if given, `apply_transpose`. Owns copies of the functions. An exception in a function reaches the
/// caller of the solve.
class ShellOperator {
 public:
  /// Collective on `comm`; each rank holds `local_size` rows.
  ShellOperator(MPI_Comm comm, Index local_size, LinearMap apply, LinearMap apply_transpose = nullptr);
  [[nodiscard]] Mat get() const { return mat_.get(); }

 private:
  struct Maps {
    LinearMap apply, apply_transpose;
  };
  std::unique_ptr<Maps> maps_;  // on the heap: the Mat points here, also after a move of the operator
  MatHandle mat_;
};

/// Not collective. Makes `pc` a shell preconditioner that calls `apply`; `apply` must outlive `pc`. An
/// exception in `apply` reaches the caller of the solve.
void set_shell_preconditioner(PC pc, const LinearMap& apply);

}  // namespace petsc
}  // namespace poise
