#include "poise/base/options.hpp"

#include <petscsys.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/text.hpp"

namespace poise {
inline namespace base {
namespace {

std::string interval_text(Bounds bounds) {
  const bool low = std::isfinite(bounds.low);
  const bool high = std::isfinite(bounds.high);
  const std::string left = bounds.open ? "(" : "[";
  const std::string right = bounds.open || bounds.open_high ? ")" : "]";
  return (low ? left + to_text(bounds.low) : "(-inf") + ", " +
         (high              ? to_text(bounds.high) + right
          : bounds.infinite ? "inf]"
                            : "inf)");
}

/// "a number in [0, 1e+09] seconds".
std::string range_text(const std::string& kind, Bounds bounds) {
  return kind + " in " + interval_text(bounds) + (*bounds.unit == 0 ? "" : std::string(" ") + bounds.unit);
}

bool inside(double value, Bounds bounds) {
  if (bounds.infinite && value == std::numeric_limits<double>::infinity()) return true;
  if (!std::isfinite(value)) return false;
  const bool above = bounds.open ? bounds.low < value : bounds.low <= value;
  return above && (bounds.open || bounds.open_high ? value < bounds.high : value <= bounds.high);
}

/// Every rank reads the same database, so all ranks throw.
Error usage_error(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

Error bad_value(const Setting& setting) {
  return usage_error("option -" + setting.name + ": value '" + setting.value + "' is not allowed; give " +
                     setting.range);
}

template <class Number>
Number parse(const Setting& setting) {
  Number value{};
  const char* end = setting.value.data() + setting.value.size();
  const auto [stop, code] = std::from_chars(setting.value.data(), end, value);
  if (code != std::errc{} || stop != end) throw bad_value(setting);
  return value;
}

}  // namespace

std::optional<std::string> given_value(const std::string& name) {
  char value[PETSC_MAX_PATH_LEN] = "";
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsGetString(nullptr, nullptr, ("-" + name).c_str(), value, sizeof value, &given));
  return given == PETSC_TRUE ? std::optional<std::string>(value) : std::nullopt;
}

std::vector<std::pair<std::string, std::string>> unused_options() {
  PetscInt count = 0;
  char** names = nullptr;
  char** values = nullptr;
  check(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  std::vector<std::pair<std::string, std::string>> unused;
  for (PetscInt i = 0; i < count; ++i) unused.emplace_back(names[i], values[i] != nullptr ? values[i] : "");
  check(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  return unused;
}

// PETSc lists all options as one text, in which a value with blanks can look like an option, and looking up
// a name counts as use. So the unused options come from their own list, and only other names are looked up.
std::vector<std::pair<std::string, std::string>> all_options() {
  std::vector<std::pair<std::string, std::string>> all = unused_options();
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

std::string plural(Index count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : (word.ends_with("s") ? "es" : "s"));
}

std::string to_text(double value) {
  char buffer[32];
  const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return code == std::errc{} ? std::string(buffer, end) : std::to_string(value);
}

namespace {

template <class Number>
std::optional<Number> whole_text(const std::string& text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

/// The value of a flag; nothing for a word that is none.
std::optional<bool> flag_of(const std::string& text) {
  for (const char* word : {"", "true", "1", "yes", "on"})
    if (text == word) return true;
  for (const char* word : {"false", "0", "no", "off"})
    if (text == word) return false;
  return {};
}

}  // namespace

OptionValue typed_value(const std::string& name, const std::string& text, const OptionKinds& kinds) {
  const auto found = kinds.find(name);
  const auto kind = found == kinds.end() ? std::nullopt : std::optional(found->second);
  if (kind == OptionKind::text) return text;
  if (const auto flag = flag_of(text); flag && kind == OptionKind::flag) return *flag;
  if (!kind && (text == "true" || text == "false")) return text == "true";
  const auto integer = whole_text<Index>(text);
  if (integer && kind == OptionKind::integer) return *integer;
  if (integer && !kind) {  // 007 may be a name
    if (std::to_string(*integer) == text) return *integer;
    return text;
  }
  if (!kind || kind == OptionKind::real)
    if (const auto real = whole_text<double>(text)) return *real;
  return text;
}

std::string text_of(const OptionValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return to_text(*real);
  if (const auto* integer = std::get_if<Index>(&value)) return std::to_string(*integer);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return std::get<std::string>(value);
}

bool same_value(const std::string& a, const std::string& b) {
  const auto number = whole_text<double>(a);
  return a == b || (number && number == whole_text<double>(b));
}

std::string json_number(double value) {
  return std::isfinite(value) ? to_text(value) : "null";
}

Setting& Options::declare(const std::string& name, const std::string& initial, const std::string& range,
                          const std::string& help, const std::optional<Role>& role, OptionKind kind) {
  auto old =
      std::find_if(settings_.begin(), settings_.end(), [&](const Setting& s) { return s.name == name; });
  if (old != settings_.end()) return *old;
  const std::optional<std::string> given = given_value(name);
  settings_.push_back({name, given.value_or(initial), initial, range, help, given.has_value(), category_,
                       only_with_, role.value_or(role_), kind});
  return settings_.back();
}

double Options::real(const std::string& name, double initial, Bounds bounds, const std::string& help,
                     const std::optional<Role>& role) {
  const Setting& setting =
      declare(name, to_text(initial), range_text("a number", bounds), help, role, OptionKind::real);
  const auto value = parse<double>(setting);
  if (setting.given && !inside(value, bounds)) throw bad_value(setting);
  return value;
}

Index Options::integer(const std::string& name, Index initial, Bounds bounds, const std::string& help,
                       const std::optional<Role>& role) {
  const Setting& setting = declare(name, std::to_string(initial), range_text("an integer", bounds), help,
                                   role, OptionKind::integer);
  const auto value = parse<Index>(setting);
  if (setting.given && !inside(static_cast<double>(value), bounds)) throw bad_value(setting);
  return value;
}

bool Options::flag(const std::string& name, bool initial, const std::string& help,
                   const std::optional<Role>& role) {
  Setting& setting = declare(name, initial ? "true" : "false", "true or false", help, role, OptionKind::flag);
  const std::optional<bool> value = flag_of(setting.value);
  if (!value) throw bad_value(setting);
  setting.value = *value ? "true" : "false";
  return *value;
}

std::string Options::text(const std::string& name, const std::string& initial, const std::string& help,
                          const std::optional<Role>& role) {
  const Setting& setting = declare(name, initial, "text", help, role);
  if (setting.given && setting.value.empty()) throw usage_error("option -" + name + " needs a value");
  return setting.value;
}

std::string Options::choice(const std::string& name, const std::string& initial,
                            const std::vector<std::string>& choices, const std::string& help,
                            const std::optional<Role>& role) {
  const Setting& setting = declare(name, initial, join(choices, "|"), help, role);
  if (std::find(choices.begin(), choices.end(), setting.value) != choices.end()) return setting.value;
  const std::string near = nearest_name(setting.value, choices);
  throw usage_error("option -" + name + ": '" + setting.value + "' is not one of its choices: " +
                    join(choices, ", ") + (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

std::vector<std::string> Options::names(Role::Kind kind) const {
  std::vector<std::string> names;
  for (const auto& setting : settings_)
    if (setting.role.kind == kind) names.push_back(setting.name);
  return names;
}

const Setting* Options::find(const std::string& name) const {
  const auto found =
      std::find_if(settings_.begin(), settings_.end(), [&](const Setting& s) { return s.name == name; });
  return found == settings_.end() ? nullptr : &*found;
}

std::vector<std::pair<std::string, std::string>> Options::resolved() const {
  std::vector<std::pair<std::string, std::string>> resolved;
  for (const auto& setting : settings_) resolved.emplace_back(setting.name, setting.value);
  for (auto& option : all_options())  // declared options are in the list with the values that this run uses
    if (find(option.first) == nullptr) resolved.push_back(std::move(option));
  return resolved;
}

OptionKinds Options::kinds() const {
  OptionKinds kinds;
  for (const Setting& setting : settings_) kinds[setting.name] = setting.kind;
  return kinds;
}

}  // namespace base
}  // namespace poise
