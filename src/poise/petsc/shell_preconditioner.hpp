#pragma once

#include <petscpc.h>

#include "poise/petsc/shell_operator.hpp"

namespace poise {

/// Not collective. Makes `pc` a shell that applies `apply`, which must outlive it. Exceptions in it reach the
/// caller of the solve.
void set_shell_preconditioner(PC pc, const LinearMap& apply);

}  // namespace poise
