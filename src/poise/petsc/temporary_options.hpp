#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace poise {

/// Options of PETSc's solvers for the life of this object, within which the solvers are made that shall have
/// them; then the database is what it was. Not collective.
class TemporaryOptions {
 public:
  /// What happens to options that the user has given.
  enum Given { keep, replace };
  /// `options`: names with their dash, and values.
  TemporaryOptions(const std::vector<std::pair<std::string, std::string>>& options, Given given);
  ~TemporaryOptions();
  TemporaryOptions(const TemporaryOptions&) = delete;
  TemporaryOptions& operator=(const TemporaryOptions&) = delete;

 private:
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

}  // namespace poise
