#include "poise/petsc/own_options.hpp"

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/options_file.hpp"

namespace poise {

OwnOptions::OwnOptions(const NamedOptions& options) {
  check(PetscOptionsCreate(&database_));
  check(PetscOptionsPush(database_));
  for (const auto& [name, value] : options)
    check(PetscOptionsSetValue(nullptr, ("-" + name).c_str(), value.c_str()));
}

OwnOptions::~OwnOptions() {  // cannot report; nothing here can fail
  (void)PetscOptionsPop();
  (void)PetscOptionsDestroy(&database_);
}

NamedOptions take_unused_options() {
  NamedOptions taken = unused_options();
  for (const auto& [name, value] : taken) {
    PetscBool set = PETSC_FALSE;  // PETSc counts an option as used once it was asked for
    check(PetscOptionsHasName(nullptr, nullptr, ("-" + name).c_str(), &set));
  }
  return taken;
}

NamedOptions options_of_file(MPI_Comm comm, const std::string& path) {
  require_options_file(comm, path);
  const OwnOptions scope({});
  check(PetscOptionsInsertFile(comm, nullptr, path.c_str(), PETSC_TRUE));
  return take_unused_options();
}

}  // namespace poise
