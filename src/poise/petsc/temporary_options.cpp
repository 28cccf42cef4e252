#include "poise/petsc/temporary_options.hpp"

#include <petscsys.h>

#include "poise/base/check.hpp"

namespace poise {
namespace {

std::optional<std::string> find(const std::string& name) {
  const char* value = nullptr;
  PetscBool found = PETSC_FALSE;
  check(PetscOptionsFindPair(nullptr, nullptr, name.c_str(), &value, &found));
  if (found == PETSC_FALSE) return std::nullopt;
  return value != nullptr ? value : "";
}

}  // namespace

TemporaryOptions::TemporaryOptions(const std::vector<std::pair<std::string, std::string>>& options,
                                   Given given) {
  for (const auto& [name, value] : options) {
    const auto old = find(name);
    if (old && given == keep) continue;
    before_.emplace_back(name, old);
    check(PetscOptionsSetValue(nullptr, name.c_str(), value.c_str()));
  }
}

TemporaryOptions::~TemporaryOptions() {
  for (const auto& [name, value] : before_) {  // a destructor cannot report; both only change a table
    if (value)
      (void)PetscOptionsSetValue(nullptr, name.c_str(), value->c_str());
    else
      (void)PetscOptionsClearValue(nullptr, name.c_str());
  }
}

}  // namespace poise
