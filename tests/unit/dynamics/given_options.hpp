#pragma once

#include <petscsys.h>

#include <string>
#include <utility>
#include <vector>

#include "poise/base/check.hpp"

namespace poise::testing_support {

/// Options of this scope alone.
class GivenOptions {
 public:
  using List = std::vector<std::pair<std::string, std::string>>;
  explicit GivenOptions(const List& options) {
    for (const auto& [name, value] : options) {
      check(PetscOptionsSetValue(nullptr, name.c_str(), value.c_str()));
      names_.push_back(name);
    }
  }
  ~GivenOptions() {
    for (const auto& name : names_) (void)PetscOptionsClearValue(nullptr, name.c_str());
  }
  GivenOptions(const GivenOptions&) = delete;
  GivenOptions& operator=(const GivenOptions&) = delete;

 private:
  std::vector<std::string> names_;
};

}  // namespace poise::testing_support
