#include "poise/petsc/own_options.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "poise/base/check.hpp"
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

NamedOptions unused_options() {
  PetscInt count = 0;
  char** names = nullptr;
  char** values = nullptr;
  check(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  NamedOptions unused;
  for (PetscInt i = 0; i < count; ++i) unused.emplace_back(names[i], values[i] != nullptr ? values[i] : "");
  check(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  return unused;
}

// PETSc lists all options as one text, in which a value with blanks can look like an option, and looking up
// a name counts as use. So the unused ones come from their own list, and only the others are looked up.
NamedOptions all_options() {
  NamedOptions all = unused_options();
  char* text = nullptr;
  check(PetscOptionsGetAll(nullptr, &text));
  std::istringstream words(text != nullptr ? text : "");
  check(PetscFree(text));
  for (std::string word; words >> word;) {
    if (word.size() < 2 || word[0] != '-') continue;
    const std::string name = word.substr(1);
    if (std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.first == name; })) continue;
    const char* value = nullptr;
    PetscBool set = PETSC_FALSE;
    const bool is_name = std::isalpha(static_cast<unsigned char>(name[0])) != 0 || name[0] == '_';
    if (is_name) check(PetscOptionsFindPair(nullptr, nullptr, word.c_str(), &value, &set));
    if (set == PETSC_TRUE) all.emplace_back(name, value != nullptr ? value : "");
  }
  return all;
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
