#include "poise/base/options.hpp"

#include <algorithm>
#include <numeric>

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

}  // namespace

std::vector<std::string> Options::names_of(const std::string& kind) {
  std::vector<std::string> names = diagnostic_names(kind);
  for (const auto& [other, own] : petsc_names)
    if (other == kind) names.insert(names.begin(), own.begin(), own.end());
  return names;
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

std::vector<std::string> Options::known_names() const {
  std::vector<std::string> known;
  for (const auto& setting : settings_) known.push_back(setting.name);
  for (const auto& solver : solvers_)
    for (const auto& name : names_of(solver.kind)) known.push_back(solver.prefix + name);
  return known;
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

}  // namespace base
}  // namespace poise
