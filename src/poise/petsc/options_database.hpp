#pragma once

#include <mpi.h>
#include <petscsys.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace poise {
inline namespace petsc {

/// Names of options, without the dash unless a function says otherwise, and their values.
using NamedOptions = std::vector<std::pair<std::string, std::string>>;

/// Makes a new options database the default one for the life of this object. Options that are set, read or
/// counted as used meanwhile do not change the database that was the default before. Not collective.
class OwnOptions {
 public:
  /// If a name occurs twice, the later value counts.
  explicit OwnOptions(const NamedOptions& options);
  ~OwnOptions();
  OwnOptions(const OwnOptions&) = delete;
  OwnOptions& operator=(const OwnOptions&) = delete;

 private:
  PetscOptions database_ = nullptr;
};

/// Sets options in the default database for the life of this object, so that the solvers made meanwhile take
/// them; the destructor restores the database. Not collective.
class TemporaryOptions {
 public:
  /// Whether an option that the user has given keeps its value or is replaced.
  enum Given { keep, replace };
  /// `options`: here the names have their dash.
  TemporaryOptions(const NamedOptions& options, Given given);
  ~TemporaryOptions();
  TemporaryOptions(const TemporaryOptions&) = delete;
  TemporaryOptions& operator=(const TemporaryOptions&) = delete;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

/// Not collective. Returns unused_options() and counts them as used from now on.
[[nodiscard]] NamedOptions take_unused_options();

/// Collective. Throws bad_input, with file and line, if rank 0 cannot read the whole of a file of options, or
/// if PETSc would reject one of its lines. Call this before PETSc reads the file: PETSc prints fifty lines
/// about a bad line, takes a read error for the end of the file, and never returns from a file that names
/// itself. YAML files are only read, not checked.
void require_options_file(MPI_Comm comm, const std::string& path);

/// Collective. Checks PETSC_OPTIONS, and all files of options that it and the command line name. May be
/// called before PETSc starts.
void require_options_files(MPI_Comm comm, int argc, char** argv);

/// Collective. The options in a file of PETSc options. Throws bad_input as require_options_file does.
[[nodiscard]] NamedOptions options_of_file(MPI_Comm comm, const std::string& path);

}  // namespace petsc
}  // namespace poise
