#include "poise/run/ensemble_table.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "poise/run/usage.hpp"

namespace poise {
namespace {

/// Of the ensemble as a whole.
const std::vector<std::string> not_of_a_member{"ensemble", "ensemble_ranks", "run", "resume", "deadline"};
/// What else there is in the directory of an ensemble.
const std::vector<std::string> taken_names{"ensemble.txt", "ensemble.h5", "DONE", "runs.h5", "figures"};

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

/// "-1" is a value.
bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0 &&
         word[1] != '.';
}

/// Letters, digits and what needs no quotes in a shell.
bool is_folder_name(const std::string& name) {
  return !name.empty() && is_letter(name[0]) && name.size() <= 200 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter(c) || std::string("._-+=,@%").find(c) != std::string::npos;
         });
}

void require_name(const EnsembleLine& line, const std::vector<EnsembleLine>& before) {
  if (!is_folder_name(line.name))
    throw usage(
        line.where + ": '" + line.name +
        "' cannot name a run directory: give letters, digits and ._-+=,@% that begin with a letter or a "
        "digit, then a colon");
  if (contains(taken_names, line.name))
    throw usage(line.where + ": '" + line.name + "' names a file of the ensemble; choose another name");
  for (const EnsembleLine& other : before)
    if (other.name == line.name)
      throw usage(line.where + ": the name '" + line.name + "' is that of " + other.where + ", too");
}

void add_option(EnsembleLine& line, const std::string& option) {
  const std::string name = option.substr(1);
  if (contains(not_of_a_member, name))
    throw usage(line.where + ": " + option + " is not for a single member; give it on the command line");
  if (std::any_of(line.options.begin(), line.options.end(), [&](const auto& o) { return o.first == name; }))
    throw usage(line.where + ": " + option + " stands there twice");
  line.options.emplace_back(name, "");
}

EnsembleLine parse_line(const std::string& text, const std::string& where) {
  EnsembleLine line{"", {}, where};
  std::istringstream words(text);
  std::string word;
  words >> word;
  if (!word.ends_with(':'))
    throw usage(where + ": a line is NAME: OPTIONS, but '" + word + "' does not end with a colon");
  line.name = word.substr(0, word.size() - 1);
  bool wants_value = false;
  while (words >> word) {
    const bool option = is_option(word);
    if (option)
      add_option(line, word);
    else if (wants_value)
      line.options.back().second = word;
    else
      throw usage(where + ": '" + word + "' is neither an option nor the value of one");
    wants_value = option;
  }
  return line;
}

}  // namespace

std::vector<EnsembleLine> parse_ensemble(const std::string& text, const std::string& path) {
  std::vector<EnsembleLine> lines;
  std::istringstream rest(text);
  int number = 0;
  for (std::string line; std::getline(rest, line);) {
    ++number;
    line.erase(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    EnsembleLine parsed = parse_line(line, path + ":" + std::to_string(number));
    require_name(parsed, lines);
    lines.push_back(std::move(parsed));
  }
  if (lines.empty()) throw usage(path + " has no member: a line is NAME: OPTIONS");
  return lines;
}

}  // namespace poise
