#include "poise/petsc/own_options.hpp"

#include <iterator>
#include <sstream>
#include <vector>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/text_file.hpp"

namespace poise {
namespace {

constexpr std::size_t longest_options_file = 1'000'000;

}  // namespace

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
  PetscInt count = 0;
  char** names = nullptr;
  char** values = nullptr;
  check(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  NamedOptions taken;
  for (PetscInt i = 0; i < count; ++i) taken.emplace_back(names[i], values[i] != nullptr ? values[i] : "");
  check(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  for (const auto& [name, value] : taken) {
    PetscBool set = PETSC_FALSE;  // PETSc counts an option as used once it was asked for
    check(PetscOptionsHasName(nullptr, nullptr, ("-" + name).c_str(), &set));
  }
  return taken;
}

void require_options_file(const std::string& path) {
  const auto refuse = [](const std::string& why) { return bad_input("-options_file: " + why); };
  std::string text;
  try {
    text = read_file(path, longest_options_file);
  } catch (const Error& error) {
    throw refuse(error.what());
  }
  if (path.ends_with(".yaml") || path.ends_with(".yml")) return;  // another format
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = path + ":" + std::to_string(++number) + ": ";
    std::istringstream stream(line.substr(0, line.find('#')));
    const std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    if (words.empty() || words[0] == "alias") continue;
    if (words[0][0] != '-')
      throw refuse(where + "a line is an option and its value, but this one does not begin with a dash");
    if (words.size() > 2)
      throw refuse(where + words[0] +
                   " has more than one value; give one option a line, and a value with blanks on the "
                   "command line");
  }
}

NamedOptions options_of_file(MPI_Comm comm, const std::string& path) {
  on_root(comm, [&] { require_options_file(path); });
  const OwnOptions scope({});
  check(PetscOptionsInsertFile(comm, nullptr, path.c_str(), PETSC_TRUE));
  return take_unused_options();
}

}  // namespace poise
