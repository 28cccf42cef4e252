#include "poise/petsc/options_file.hpp"

#include <petscsys.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/text.hpp"

namespace poise {
namespace {

using Words = std::vector<std::string>;

constexpr std::size_t longest_options_file = 1'000'000;
constexpr int deepest_file = 4;

bool same(const std::string& word, const char* name) {  // as PETSc compares
  return strcasecmp(word.c_str(), name) == 0;
}

/// Whether it is the name of an option; "-1" and "-inf" are values.
bool is_key(const std::string& word) {
  PetscBool valid = PETSC_FALSE;
  check(PetscOptionsValidKey(word.c_str(), &valid));
  return valid == PETSC_TRUE;
}

/// As PETSc splits them: at blanks, but "..." is one word.
Words split(const std::string& text) {
  constexpr const char* blanks = " \t\r\n";
  Words words;
  for (std::size_t at = text.find_first_not_of(blanks); at != std::string::npos;) {
    const bool quoted = text[at] == '"';
    if (quoted) ++at;
    const std::size_t end = quoted ? text.find('"', at) : text.find_first_of(blanks, at);
    if (quoted && end == std::string::npos)
      throw bad_input("a \" is not closed (a # begins a comment even within)");
    words.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? end : text.find_first_not_of(blanks, end + 1);
  }
  return words;
}

/// What is wrong with a line of a file of options; empty if nothing is.
std::string fault(const Words& words) {
  if (words.empty()) return "";
  if (same(words[0], "alias"))
    return words.size() == 3 && is_key(words[1]) && is_key(words[2]) ? "" : "an alias is: alias -NEW -OLD";
  if (!is_key(words[0]))
    return "'" + words[0] + "' is not an option: options start with a dash and a letter, comments with #";
  if (const auto second = std::find_if(words.begin() + 1, words.end(), is_key); second != words.end())
    return words[0] + " and " + *second + " stand on one line: give every option a line of its own";
  if (words.size() > 2)
    return words[0] + " has more than one value: put one that has blanks in it between two \"";
  return "";
}

void require_files(const Words& words, int depth);

void require_line(const std::string& line, int depth) {
  const Words words = split(line.substr(0, line.find('#')));  // PETSc knows no # within quotes
  const std::string wrong = fault(words);
  if (!wrong.empty()) throw bad_input(wrong);
  require_files(words, depth);
}

bool is_yaml(const std::string& path, const std::string& content) {  // as PETSc tells
  return path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json") ||
         content.starts_with("%YAML ") || content.starts_with("---");
}

void require_file(const std::string& path, int depth) {
  if (depth > deepest_file) throw bad_input("files of options name each other without end");
  const std::string content = read_file(path, longest_options_file);
  if (content.find('\0') != std::string::npos)
    throw bad_input("'" + path +
                    "' is not a file of options but a binary one; give a text with one option a line");
  if (is_yaml(path, content)) return;
  std::istringstream lines(content);
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    try {
      require_line(line, depth);
    } catch (const Error& error) {
      throw bad_input(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
}

/// What PETSc looks at as soon as it meets it, and what it does not bear without a value.
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

/// PETSc takes those of rank 0, and leaves out what is no option without a word.
void require_environment() {
  const char* text = std::getenv("PETSC_OPTIONS");
  if (text == nullptr) return;
  try {
    const Words words = split(text);
    for (std::size_t i = 0; i < words.size(); ++i)
      if (!is_key(words[i]) && (i == 0 || !is_key(words[i - 1])))
        throw bad_input("'" + words[i] + "' is neither an option nor the value of one");
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

}  // namespace poise
