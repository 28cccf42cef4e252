#pragma once

#include <functional>
#include <memory>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {

/// y = Op(x) on the local entries of two Vecs; may communicate on the operator's communicator.
using LinearMap = std::function<void(const double* x, double* y)>;

/// The one adapter between C++ functions and PETSc's solvers: a square shell Mat whose products are `apply`
/// and, if given, `apply_transpose`. Owns copies of the functions. Exceptions in them reach the caller of the
/// solve.
class ShellOperator {
 public:
  /// Collective on `comm`; each rank holds `local_size` rows.
  ShellOperator(MPI_Comm comm, Index local_size, LinearMap apply, LinearMap apply_transpose = nullptr);
  [[nodiscard]] Mat get() const { return mat_.get(); }

 private:
  struct Maps {
    LinearMap apply, apply_transpose;
  };
  std::unique_ptr<Maps> maps_;  // the Mat points here, so the address must survive a move of the operator
  MatHandle mat_;
};

}  // namespace poise
