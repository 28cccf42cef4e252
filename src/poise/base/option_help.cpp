#include "poise/base/options.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "poise/base/error.hpp"
#include "poise/base/text.hpp"

namespace poise {
inline namespace base {
namespace {

constexpr const char* solver_category = "solvers";

/// The environment variable COLUMNS, else the width of the terminal; 0 if neither is known.
std::size_t terminal_width() {
  if (const char* columns = std::getenv("COLUMNS")) return std::strtoul(columns, nullptr, 10);
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// Breaks long lines at blanks; the new lines get the indentation of the old line. Returns the text unchanged
/// if `width` is below `narrowest`.
std::string wrapped(const std::string& text, std::size_t width) {
  constexpr std::size_t narrowest = 40;
  if (width < narrowest) return text;
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
    while (line.size() > width) {
      const std::size_t blank = line.rfind(' ', width);
      if (blank == std::string::npos || blank <= indent) break;
      out += line.substr(0, blank) + "\n";
      line = std::string(indent, ' ') + line.substr(blank + 1);
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace

std::vector<std::string> Options::categories() const {
  std::vector<std::string> words;
  for (const auto& setting : settings_)
    if (std::find(words.begin(), words.end(), setting.category) == words.end())
      words.push_back(setting.category);
  if (!solvers_.empty()) words.emplace_back(solver_category);
  return words;
}

std::string Options::solvers_help() const {
  std::ostringstream out;
  out << "\nAll options of PETSc's and SLEPc's solvers begin with the prefix of the solver";
  const Solver& first = solvers_.front();
  const std::vector<std::string> names = names_of(first.kind);
  if (!names.empty()) out << ", such as -" << first.prefix << names.front();
  out << ":\n";
  for (const auto& s : solvers_) {
    const std::string name = "-" + s.prefix + "*";
    out << "  " << name << std::string(std::max<std::size_t>(14, name.size()) - name.size() + 1, ' ')
        << s.kind << "; default: " << s.defaults << "\n";
  }
  return out.str();
}

std::string Options::markdown() const {
  const auto escaped = [](const std::string& text) {  // | ends a cell; < and * begin markup
    std::string out;
    for (const char c : text)
      out += (std::string_view("|<*").find(c) == std::string_view::npos ? "" : "\\") + std::string(1, c);
    return out;
  };
  std::string text;
  for (const auto& word : categories()) {
    if (word == solver_category) continue;
    text += "\n**" + word + "**\n\n| option | default | allowed | meaning |\n| --- | --- | --- | --- |\n";
    for (const auto& s : settings_)
      if (s.category == word)
        text += "| `-" + s.name + "` | " + escaped(s.initial.empty() ? "none" : s.initial) + " | " +
                escaped(s.range) + " | " + escaped(s.help) + " |\n";
  }
  return text;
}

std::string Options::help(const std::string& usage, const std::string& category) const {
  if (category == "markdown") return markdown();
  const std::vector<std::string> all = categories();
  const bool known = std::find(all.begin(), all.end(), category) != all.end();
  if (!category.empty() && !known)
    throw Error(
        ExitCode::bad_input,
        fmt::format("-help {}: there is no such category; choose {}, markdown for tables, or petsc for "
                    "the options of PETSc itself",
                    category, join(all, ", ")),
        true);
  std::string text = category.empty() ? usage + "\n\nOptions (default; range) by category:\n" : "";
  for (const auto& word : all) {
    if ((!category.empty() && word != category) || word == solver_category) continue;
    text += (text.empty() ? "" : "\n") + word + ":\n";
    for (const auto& s : settings_)
      if (s.category == word)
        text += "  -" + s.name + " (" + (s.initial.empty() ? "none" : s.initial) + "; " + s.range +
                ")\n      " + s.help + "\n";
  }
  if (!solvers_.empty() && (category.empty() || category == solver_category)) text += solvers_help();
  if (category.empty())
    text += fmt::format(
        "\nOptions may also come from a file (-options_file FILE) or the environment variable PETSC_OPTIONS; "
        "the command line overrides both.\nA flag without a value means true. -help CATEGORY lists one "
        "category: {}. Options of PETSc itself: -log_view (times), -help petsc (all of them).\n"
        "Exit codes: 0 done, 1 a failed audit or solve, 2 bad usage or input, 3 done but not verified, 75 "
        "stopped on request.\n",
        join(all, ", "));
  return wrapped(text, terminal_width());
}

}  // namespace base
}  // namespace poise
