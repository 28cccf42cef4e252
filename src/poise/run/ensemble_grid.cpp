#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cctype>
#include <optional>
#include <sstream>

#include "poise/run/ensemble_plan.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

constexpr double most_members = 10000;

/// One part of a grid: an option and its values.
struct Axis {
  std::string option;
  std::vector<std::string> values;
};

Error refuse(const std::string& part, const std::string& why) {
  return usage("-grid: '" + part + "' " + why + "; give parts such as gamma=0.5,0.9 or seed=0:4");
}

Error too_many(double members) {
  return usage(fmt::format("-grid: {:.0f} members are more than {:.0f}; leave out values or options", members,
                           most_members));
}

std::optional<Index> integer_of(const std::string& text) {
  Index value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

/// Adds a value, or the integers of A:B.
void add_values(const std::string& part, const std::string& word, std::vector<std::string>& values) {
  if (word.empty()) throw refuse(part, "has an empty value");
  const std::size_t colon = word.find(':');
  const auto begin = integer_of(word.substr(0, colon));
  const auto end = colon == std::string::npos ? std::nullopt : integer_of(word.substr(colon + 1));
  if (!begin || !end) {
    values.push_back(word);  // a colon may also be in the name of a file
    return;
  }
  if (*begin >= *end) throw refuse(part, "has the empty range " + word + ": its end is left out");
  if (const double count = static_cast<double>(*end) - static_cast<double>(*begin); count > most_members)
    throw too_many(count);
  for (Index k = *begin; k < *end; ++k) values.push_back(std::to_string(k));
}

Axis parse_axis(const std::string& part) {
  const std::size_t equals = part.find('=');
  if (equals == std::string::npos || equals == 0) throw refuse(part, "is not NAME=VALUES");
  if (part[0] == '-') throw refuse(part, "begins with a dash");
  Axis axis{part.substr(0, equals), {}};
  const std::string list = part.substr(equals + 1);
  if (list.empty()) throw refuse(part, "has no values");
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    add_values(part, list.substr(begin, end - begin), axis.values);
    begin = end + 1;
  }
  for (auto value = axis.values.begin(); value != axis.values.end(); ++value)
    if (std::find(axis.values.begin(), value, *value) != value)
      throw refuse(part, "has the value " + *value + " twice");
  return axis;
}

std::vector<Axis> parse_grid(const std::string& grid) {
  std::vector<Axis> axes;
  double members = 1.0;
  std::istringstream parts(grid);
  for (std::string part; parts >> part;) {
    axes.push_back(parse_axis(part));
    const Axis& added = axes.back();
    if (std::any_of(axes.begin(), axes.end() - 1,
                    [&](const Axis& other) { return other.option == added.option; }))
      throw usage("-grid: " + added.option + " is given twice; put all its values behind one " +
                  added.option + "=");
    members *= static_cast<double>(added.values.size());
  }
  if (axes.empty()) throw refuse(grid, "names no option");
  if (members > most_members) throw too_many(members);
  return axes;
}

/// A value as a part of the name of a folder.
std::string folder_text(std::string value) {
  for (char& c : value)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string("._-+@%").find(c) == std::string::npos)
      c = '-';
  return value;
}

}  // namespace

std::string table_of_grid(const std::string& grid) {
  struct Line {
    std::string name, options;
  };
  std::vector<Line> lines{{}};
  for (const Axis& axis : parse_grid(grid)) {
    std::vector<Line> longer;
    for (const Line& line : lines)
      for (const std::string& value : axis.values)
        longer.push_back({line.name + (line.name.empty() ? "" : "_") + axis.option + "-" + folder_text(value),
                          line.options + " -" + axis.option + " " + value});
    lines = std::move(longer);
  }
  std::string text = "# -grid \"" + grid + "\"\n";
  for (const Line& line : lines) text += line.name + ":" + line.options + "\n";
  return text;
}

}  // namespace run
}  // namespace poise
