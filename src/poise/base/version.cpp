#include "poise/base/version.hpp"

#include <petscsys.h>
#include <slepcsys.h>

#include "build_info.hpp"

// What Poise needs from the libraries it is built with, checked when it is compiled.
#ifdef PETSC_USE_COMPLEX
#error "Poise needs PETSc with real scalars (Debian: petsc-dev, module PETSc), not complex ones"
#endif
#ifndef PETSC_USE_REAL_DOUBLE
#error "Poise needs PETSc in double precision"
#endif
#if PETSC_VERSION_LT(3, 18, 0)
#error "Poise needs PETSc 3.18 or newer"
#endif
#if SLEPC_VERSION_LT(3, 18, 0)
#error "Poise needs SLEPc 3.18 or newer"
#endif

namespace poise {
inline namespace base {

std::string version() {
  return POISE_VERSION;
}
std::string git_commit() {
  return POISE_GIT;
}
std::string compiler() {
  return POISE_COMPILER;
}
std::string compiler_flags() {
  return POISE_FLAGS;
}

}  // namespace base
}  // namespace poise
