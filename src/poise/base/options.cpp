#include "poise/base/options.hpp"

#include <petscsys.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <sstream>
#include <string_view>

#include "poise/base/check.hpp"
#include "poise/base/diagnostics.hpp"
#include "poise/base/error.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
inline namespace base {
namespace {

/// Options of PETSc's solvers that users set often, without the diagnostics. They only serve to find the
/// known name nearest to a misspelt name.
const std::vector<std::pair<std::string, std::vector<std::string>>> petsc_names{
    {"SNES",
     {"snes_type", "snes_rtol", "snes_atol", "snes_max_it", "snes_linesearch_type", "ksp_type", "ksp_rtol",
      "ksp_atol", "ksp_max_it", "ksp_gmres_restart", "pc_type", "snes_patient", "snes_mixing", "ksp_patient",
      "ksp_mixing"}},
    {"KSP",
     {"ksp_type", "ksp_rtol", "ksp_atol", "ksp_max_it", "ksp_gmres_restart", "pc_type", "ksp_patient",
      "ksp_mixing"}},
    {"TS",
     {"ts_type", "ts_rk_type", "ts_rtol", "ts_atol", ts_step_option, "ts_max_steps", "ts_adapt_type",
      "ts_adapt_dt_max", "ts_adapt_dt_min", "ts_adapt_clip"}},
    {"EPS", {"eps_type", "eps_tol", "eps_max_it", "eps_ncv"}},
    {"SVD", {"svd_type", "svd_tol", "svd_max_it", "svd_ncv"}},
    {"TAO",
     {"tao_type", "tao_gatol", "tao_grtol", "tao_gttol", "tao_ls_type", "tao_ls_max_funcs", "tao_ls_ftol",
      "tao_ls_gtol"}}};

/// All known option names of a solver of this kind, without the prefix.
std::vector<std::string> names_of(const std::string& kind) {
  std::vector<std::string> names = diagnostic_names(kind);
  for (const auto& [other, own] : petsc_names)
    if (other == kind) names.insert(names.begin(), own.begin(), own.end());
  return names;
}

/// The kind of object that an option configures, from its name without the prefix: "KSP" for npc_ksp_view of
/// a SNES.
std::string object_of(const std::string& kind, const std::string& name) {
  const std::vector<std::pair<std::string, std::string>> inner{
      {"pc_", "PC"}, {"ksp_", "KSP"}, {"snes_", "SNES"}, {"rg_", "RG"}};
  for (const auto& [word, object] : inner)
    if (name.starts_with(word) || name.find("_" + word) != std::string::npos) return object;
  return kind;
}

/// Names of options in other programs, and the option of Poise with the same meaning.
const std::vector<std::pair<std::string, std::string>> foreign_names{{"lr", "step_size"},
                                                                     {"learning_rate", "step_size"},
                                                                     {"eta", "step_size"},
                                                                     {"batch_size", "batch"},
                                                                     {"bs", "batch"},
                                                                     {"n_epochs", "epochs"},
                                                                     {"num_epochs", "epochs"},
                                                                     {"max_steps", "steps"},
                                                                     {"iterations", "steps"},
                                                                     {"optimizer", "method"},
                                                                     {"optimiser", "method"},
                                                                     {"wd", "weight_decay"},
                                                                     {"l2", "weight_decay"},
                                                                     {"dataset", "data"},
                                                                     {"input", "data"},
                                                                     {"output", "run"},
                                                                     {"out", "run"},
                                                                     {"save_dir", "run"},
                                                                     {"hidden", "width"},
                                                                     {"hidden_size", "width"},
                                                                     {"num_layers", "depth"},
                                                                     {"layers", "depth"},
                                                                     {"criterion", "loss"},
                                                                     {"clip_grad", "clip"},
                                                                     {"scheduler", "schedule"},
                                                                     {"final_time", "time"},
                                                                     {"T", "time"}};

/// Number of letters to insert, remove, replace, or swap with the next letter.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1), above, above_that;
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    above_that = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], above_that[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

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

/// Names of the options in the database that no code has read.
std::vector<std::string> unused_names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : unused_options()) names.push_back(name);
  return names;
}

/// The name without its leading dashes; empty if it consists of dashes.
std::string without_dashes(const std::string& name) {
  return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

std::string nearest_or(const std::string& word, const std::vector<std::string>& names) {
  const std::string near = nearest_name(word, names);
  return near.empty() ? word : near;
}

template <class Number>
Number parse(const Setting& setting) {
  Number value{};
  const char* end = setting.value.data() + setting.value.size();
  const auto [stop, code] = std::from_chars(setting.value.data(), end, value);
  if (code != std::errc{} || stop != end) throw bad_value(setting);
  return value;
}

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

std::string nearest_name(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t distance = std::max<std::size_t>(2, word.size() / 2);
  for (const auto& name : names) {
    if (const std::size_t d = edit_distance(word, name); d < distance) {
      distance = d;
      best = name;
    }
  }
  return best;
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

void Options::solver(const std::string& prefix, const std::string& kind, const std::string& defaults) {
  if (std::none_of(solvers_.begin(), solvers_.end(), [&](const Solver& s) { return s.prefix == prefix; }))
    solvers_.push_back({prefix, kind, defaults});
}

void Options::reject_unknown() const {
  reject(unused_names());
}

std::vector<std::string> Options::undeclared_names() const {
  std::vector<std::string> unused = unused_names();
  std::erase_if(unused, [&](const std::string& name) {
    return std::any_of(solvers_.begin(), solvers_.end(),
                       [&](const Solver& solver) { return name.starts_with(solver.prefix); });
  });
  return unused;
}

void Options::reject_undeclared() const {
  reject(undeclared_names());
}

std::vector<std::string> Options::names(Role::Kind kind) const {
  std::vector<std::string> names;
  for (const auto& setting : settings_)
    if (setting.role.kind == kind) names.push_back(setting.name);
  return names;
}

std::vector<std::string> Options::known_names() const {
  std::vector<std::string> known;
  for (const auto& setting : settings_) known.push_back(setting.name);
  for (const auto& solver : solvers_)
    for (const auto& name : names_of(solver.kind)) known.push_back(solver.prefix + name);
  return known;
}

const Setting* Options::find(const std::string& name) const {
  const auto found =
      std::find_if(settings_.begin(), settings_.end(), [&](const Setting& s) { return s.name == name; });
  return found == settings_.end() ? nullptr : &*found;
}

bool Options::knows(const std::string& name) const {
  return find(name) != nullptr || owner_of(name) != nullptr;
}

const Options::Solver* Options::owner_of(const std::string& name) const {
  const Solver* owner = nullptr;
  for (const auto& solver : solvers_)
    if (name.starts_with(solver.prefix) && (owner == nullptr || solver.prefix.size() > owner->prefix.size()))
      owner = &solver;
  return owner;
}

bool Options::configures_solver(const std::string& name) const {
  const Solver* owner = owner_of(name);
  if (owner == nullptr) return false;
  const std::vector<std::string> printing = diagnostic_names(owner->kind);
  return std::find(printing.begin(), printing.end(), name.substr(owner->prefix.size())) == printing.end();
}

/// Why no code has read an option with a known name.
std::string Options::unused_reason(const std::string& name) const {
  const Solver* owner = owner_of(name);
  if (owner == nullptr) return " has no effect in this run";
  const std::string object = object_of(owner->kind, name.substr(owner->prefix.size()));
  const std::string solver = "the solver " + owner->prefix + " (" + owner->kind + ")";
  return object == owner->kind
             ? " belongs to " + solver + ", which this run does not use"
             : " belongs to the " + object + " inside of " + solver + ", which this run does not use";
}

/// All known options that are `name` behind the prefix of a solver. Only for a SNES, the options of the
/// solvers inside it count, too.
std::string Options::with_prefixes(const std::string& name) const {
  std::string found;
  for (const auto& solver : solvers_) {
    const std::vector<std::string> names = names_of(solver.kind);
    const bool own = solver.kind == "SNES" || object_of(solver.kind, name) == solver.kind;
    if (own && std::find(names.begin(), names.end(), name) != names.end())
      found += (found.empty() ? "-" : ", -") + solver.prefix + name;
  }
  return found;
}

std::string Options::misspelt() const {
  const std::vector<std::string> known = known_names();
  std::string text;
  for (const auto& name : undeclared_names()) {
    const Hint hint = hint_for(name, known);
    if (hint.corrects) text += "; option -" + name + hint.text;
  }
  return text;
}

/// Why an option that no code has read is rejected.
Options::Hint Options::hint_for(const std::string& name, const std::vector<std::string>& known) const {
  const auto correction = [](const std::string& text) { return Hint{" is unknown" + text, true}; };
  const auto is_known = [&](const std::string& n) {
    return std::find(known.begin(), known.end(), n) != known.end();
  };
  // "-gamma=0.5", "--gamma": forms that other command lines accept.
  if (without_dashes(name.substr(0, name.find('='))).empty()) return correction(": it has no name");
  if (const auto equals = name.find('='); equals != std::string::npos) {
    const std::string before = without_dashes(name.substr(0, equals));
    return correction("; write -" + (is_known(before) ? before : nearest_or(before, known)) + " " +
                      name.substr(equals + 1) + ", with a blank instead of =");
  }
  if (name.starts_with("-")) {
    const std::string bare = without_dashes(name);
    return correction("; write -" + (is_known(bare) ? bare : nearest_or(bare, known)) + ", with one dash");
  }
  if (name.find('-') != std::string::npos) {  // "-batch-size"
    std::string underscored = name;
    std::replace(underscored.begin(), underscored.end(), '-', '_');
    if (is_known(underscored)) return correction("; write -" + underscored);
    return hint_for(underscored, known);
  }
  for (const auto& [foreign, own] : foreign_names)
    if (name == foreign && is_known(own)) return correction("; here it is -" + own);
  const std::string prefixed = with_prefixes(name);
  if (!prefixed.empty()) return correction(": every solver has a prefix; did you mean " + prefixed + "?");
  const std::string near = nearest_name(name, known);
  if (near == name) return {unused_reason(name)};
  if (near.empty()) return {" is unknown"};
  return correction(", the nearest is -" + near);
}

void Options::reject(const std::vector<std::string>& unused) const {
  if (unused.empty()) return;
  const std::vector<std::string> known = known_names();
  std::string message;
  bool corrects = false;
  for (const auto& name : unused) {
    const Hint hint = hint_for(name, known);
    message += (message.empty() ? "" : "; ") + ("option -" + name) + hint.text;
    corrects = corrects || hint.corrects;
  }
  throw Error(ExitCode::bad_input, message + " (-help lists all)", true, corrects);
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
  for (const auto& [kind, names] : petsc_names)
    if (kind == solvers_.front().kind) out << ", such as -" << solvers_.front().prefix << names.front();
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
    throw Error(ExitCode::bad_input,
                "-help " + category + ": there is no such category; choose " + join(all, ", ") +
                    ", markdown for tables, or petsc for the options of PETSc itself",
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
    text +=
        "\nOptions may also come from a file (-options_file FILE) or the environment variable PETSC_OPTIONS; "
        "the command line overrides both.\nA flag without a value means true. -help CATEGORY lists one "
        "category: " +
        join(all, ", ") +
        ". Options of PETSc itself: -log_view (times), -help petsc (all of them).\n"
        "Exit codes: 0 done, 1 a failed audit or solve, 2 bad usage or input, 3 done but not verified, 75 "
        "stopped on request.\n";
  return wrapped(text, terminal_width());
}

}  // namespace base
}  // namespace poise
