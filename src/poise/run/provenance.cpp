#include "poise/run/provenance.hpp"

#include <hdf5.h>
#include <slepcsys.h>

#include "poise/base/check.hpp"
#include "poise/base/version.hpp"
#include "poise/run/date.hpp"

namespace poise {

RunFile::Named provenance(MPI_Comm comm) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  check_mpi(MPI_Get_processor_name(host, &length));
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  check_mpi(MPI_Get_library_version(mpi, &length));
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  const auto dotted = [](auto a, auto b, auto c) {
    return std::to_string(a) + "." + std::to_string(b) + "." + std::to_string(c);
  };
  return {{"version", version()},
          {"git", git_commit()},
          {"petsc", dotted(PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR)},
          {"slepc", dotted(SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR)},
          {"hdf5", dotted(major, minor, release)},
          {"mpi", std::string(mpi)},
          {"ranks", Index{ranks}},
          {"host", std::string(host)},
          {"started", date("%Y-%m-%dT%H:%M:%SZ")}};
}

}  // namespace poise
