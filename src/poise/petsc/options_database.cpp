#include "poise/petsc/options_database.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/text.hpp"

namespace poise {
inline namespace petsc {
namespace {

std::optional<std::string> find(const std::string& name) {
  const char* value = nullptr;
  PetscBool found = PETSC_FALSE;
  check(PetscOptionsFindPair(nullptr, nullptr, name.c_str(), &value, &found));
  if (found == PETSC_FALSE) return std::nullopt;
  return value != nullptr ? value : "";
}

}  // namespace

OwnOptions::OwnOptions(const NamedOptions& options) {
  check(PetscOptionsCreate(&database_));
  check(PetscOptionsPush(database_));
  for (const auto& [name, value] : options)
    check(PetscOptionsSetValue(nullptr, ("-" + name).c_str(), value.c_str()));
}

OwnOptions::~OwnOptions() {  // a destructor cannot report errors; nothing here can fail
  (void)PetscOptionsPop();
  (void)PetscOptionsDestroy(&database_);
}

TemporaryOptions::TemporaryOptions(const NamedOptions& options, Given given) {
  for (const auto& [name, value] : options) {
    const auto old = find(name);
    if (old && given == keep) continue;
    before_.emplace_back(name, old);
    check(PetscOptionsSetValue(nullptr, name.c_str(), value.c_str()));
  }
}

TemporaryOptions::~TemporaryOptions() {
  // A destructor cannot report errors; both calls only change a table.
  for (const auto& [name, value] : before_) {
    if (value)
      (void)PetscOptionsSetValue(nullptr, name.c_str(), value->c_str());
    else
      (void)PetscOptionsClearValue(nullptr, name.c_str());
  }
}

NamedOptions take_unused_options() {
  NamedOptions taken = unused_options();
  for (const auto& [name, value] : taken) {
    PetscBool set = PETSC_FALSE;  // PETSc counts an option as used once it was asked for
    check(PetscOptionsHasName(nullptr, nullptr, ("-" + name).c_str(), &set));
  }
  return taken;
}

namespace {

using Words = std::vector<std::string>;

constexpr std::size_t longest_options_file = 1'000'000;
constexpr int deepest_file = 4;

bool same(const std::string& word, const char* name) {  // PETSc ignores the case, too
  return strcasecmp(word.c_str(), name) == 0;
}

/// Whether a word is the name of an option. "-1" and "-inf" are values.
bool is_key(const std::string& word) {
  PetscBool valid = PETSC_FALSE;
  check(PetscOptionsValidKey(word.c_str(), &valid));
  return valid == PETSC_TRUE;
}

/// Splits a text as PETSc does: at blanks, but "..." is one word.
Words split(const std::string& text) {
  constexpr const char* blanks = " \t\r\n";
  Words words;
  for (std::size_t at = text.find_first_not_of(blanks); at != std::string::npos;) {
    const bool quoted = text[at] == '"';
    if (quoted) ++at;
    const std::size_t end = quoted ? text.find('"', at) : text.find_first_of(blanks, at);
    if (quoted && end == std::string::npos)
      throw bad_input("a \" is not closed (a # begins a comment even between quotes)");
    words.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? end : text.find_first_not_of(blanks, end + 1);
  }
  return words;
}

/// What is wrong with a line of a file of options; empty if the line is right.
std::string fault(const Words& words) {
  if (words.empty()) return "";
  if (same(words[0], "alias"))
    return words.size() == 3 && is_key(words[1]) && is_key(words[2]) ? "" : "an alias is: alias -NEW -OLD";
  if (!is_key(words[0]))
    return fmt::format("'{}' is not an option: options start with a dash and a letter, comments with #",
                       words[0]);
  if (const auto second = std::find_if(words.begin() + 1, words.end(), is_key); second != words.end())
    return fmt::format("{} and {} stand on one line: give every option a line of its own", words[0], *second);
  if (words.size() > 2)
    return words[0] + " has more than one value: put a value that contains blanks between two \"";
  return "";
}

void require_files(const Words& words, int depth);

void require_line(const std::string& line, int depth) {
  const Words words = split(line.substr(0, line.find('#')));  // also between quotes, as in PETSc
  const std::string wrong = fault(words);
  if (!wrong.empty()) throw bad_input(wrong);
  require_files(words, depth);
}

bool is_yaml(const std::string& path, const std::string& content) {  // the rule of PETSc
  return path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json") ||
         content.starts_with("%YAML ") || content.starts_with("---");
}

void require_file(const std::string& path, int depth) {
  if (depth > deepest_file) throw bad_input("files of options name each other without end");
  const std::string content = read_file(path, longest_options_file);
  if (content.find('\0') != std::string::npos)
    throw bad_input(fmt::format(
        "'{}' is a binary file, not a file of options; give a text file with one option per line", path));
  if (is_yaml(path, content)) return;
  std::istringstream lines(content);
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    try {
      require_line(line, depth);
    } catch (const Error& error) {
      throw bad_input(fmt::format("{}:{}: {}", path, number, error.what()));
    }
  }
}

/// Checks the options that PETSc acts on as soon as it reads them, and that make it fail if they have no
/// value.
void require_files(const Words& words, int depth) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool file = same(words[i], "-options_file");
    if (!file && !same(words[i], "-prefix_push") && !same(words[i], "-options_file_yaml") &&
        !same(words[i], "-options_string_yaml"))
      continue;
    if (i + 1 == words.size() || words[i + 1].empty() || words[i + 1][0] == '-')
      throw bad_input(words[i] + " needs " + (file ? "the name of a file" : "a value"));
    if (!file) continue;
    try {
      require_file(words[i + 1], depth + 1);
    } catch (const Error& error) {
      throw bad_input("-options_file: " + std::string(error.what()));
    }
  }
}

/// Checks PETSC_OPTIONS. PETSc takes the variable of rank 0, and ignores words that are not options without
/// telling.
void require_environment() {
  const char* text = std::getenv("PETSC_OPTIONS");
  if (text == nullptr) return;
  try {
    const Words words = split(text);
    for (std::size_t i = 0; i < words.size(); ++i)
      if (!is_key(words[i]) && (i == 0 || !is_key(words[i - 1])))
        throw bad_input(fmt::format("'{}' is neither an option nor the value of one", words[i]));
    require_files(words, 0);
  } catch (const Error& error) {
    throw bad_input("PETSC_OPTIONS: " + std::string(error.what()));
  }
}

}  // namespace

void require_options_file(MPI_Comm comm, const std::string& path) {
  on_root(comm, [&] { require_files({"-options_file", path}, 0); });
}

void require_options_files(MPI_Comm comm, int argc, char** argv) {
  on_root(comm, [&] {
    require_environment();
    require_files(Words(argv + std::min(argc, 1), argv + argc), 0);
  });
}

NamedOptions options_of_file(MPI_Comm comm, const std::string& path) {
  require_options_file(comm, path);
  const OwnOptions scope({});
  check(PetscOptionsInsertFile(comm, nullptr, path.c_str(), PETSC_TRUE));
  return take_unused_options();
}

}  // namespace petsc
}  // namespace poise
