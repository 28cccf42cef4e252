#pragma once

#include <petscsys.h>

#include <string>
#include <utility>
#include <vector>

namespace poise {

/// Options with their values: names without the dash.
using NamedOptions = std::vector<std::pair<std::string, std::string>>;

/// An options database of its own, for the life of this object: nothing that is set, read or counted as used
/// within it shows before or after. Not collective.
class OwnOptions {
 public:
  /// Of two options of one name the later one counts.
  explicit OwnOptions(const NamedOptions& options);
  ~OwnOptions();
  OwnOptions(const OwnOptions&) = delete;
  OwnOptions& operator=(const OwnOptions&) = delete;

 private:
  PetscOptions database_ = nullptr;
};

/// Not collective. unused_options(), which now count as used.
[[nodiscard]] NamedOptions take_unused_options();

/// Collective. What a file of PETSc options holds. Throws bad_input as require_options_file does.
[[nodiscard]] NamedOptions options_of_file(MPI_Comm comm, const std::string& path);

}  // namespace poise
