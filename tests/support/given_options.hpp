#pragma once

#include <petscsys.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"

namespace poise::testing_support {

using OptionList = std::vector<std::pair<std::string, std::string>>;

/// Sets options in PETSc's database until the end of a scope; names without the dash. The end of the scope
/// also removes what was added in between: PETSc renames a deprecated option when it reads the option.
class GivenOptions {
 public:
  explicit GivenOptions(OptionList options) : options_(std::move(options)) {
    for (const auto& option : all_options()) before_.insert(option.first);
    for (const auto& [name, value] : options_)
      check(PetscOptionsSetValue(nullptr, ("-" + name).c_str(), value.c_str()));
  }
  ~GivenOptions() {
    for (const auto& option : options_) PetscOptionsClearValue(nullptr, ("-" + option.first).c_str());
    for (const auto& option : all_options())
      if (!before_.contains(option.first)) PetscOptionsClearValue(nullptr, ("-" + option.first).c_str());
  }
  GivenOptions(const GivenOptions&) = delete;
  GivenOptions& operator=(const GivenOptions&) = delete;

  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& [name, value] : options_) all += "-" + name + " " + value + " ";
    return all;
  }

 private:
  OptionList options_;
  std::set<std::string> before_;  // names
};

}  // namespace poise::testing_support
