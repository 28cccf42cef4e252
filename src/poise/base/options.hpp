#pragma once

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// The range an option may take, and its unit.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open = false;       ///< neither end is included
  bool infinite = false;   ///< of reals: inf is allowed
  bool open_high = false;  ///< `high` is not included
  const char* unit = "";   ///< "seconds"; empty: a plain number
};

/// What an option is to a run that goes on from a checkpoint (-resume).
struct Role {
  enum Kind {
    free,       ///< it may change
    identity,   ///< it says what the run is: it must stay as it was
    end,        ///< it says where the run ends: identity if the steps before depend on that, else free
    invocation  ///< it is about one start of the program and not kept with the run
  };
  Kind kind = free;
  std::string why = {};  ///< of identity and end: why it must stay, a clause of the error message
};

/// A choice that gives other options their meaning: that an option has one of these values, or, with
/// `except`, none of them. The value of an option of PETSc that is not given is empty.
struct OptionCondition {
  std::string option;
  std::vector<std::string> values;
  bool except = false;
};

/// One declared option with the value this run uses.
struct Setting {
  std::string name;  ///< without the dash
  std::string value;
  std::string initial;  ///< the default
  std::string range;    ///< for -help, with the unit
  std::string help;
  bool given = false;                      ///< set by the user
  std::string category;                    ///< of -help; see Options::Category
  std::vector<OptionCondition> only_with;  ///< all must be met, else it has no effect; see Options::OnlyWith
  Role role;
};

/// Declares options and reads them from the PETSc options database (command line, -options_file, YAML,
/// PETSC_OPTIONS). A parameter is declared where it is used, once, with default, range, unit, help and role;
/// asking for its value declares it. The list of what was declared makes -help, the tables of options in the
/// documents, the record in run files, the search for misspelt names, and the options that a resumed run must
/// keep. PetscOptionsBegin/End is not used because it knows neither ranges of reals nor which
/// names exist. Every method is deterministic on identical databases, hence the same on every rank; none
/// communicates.
class Options {
 public:
  /// All throw bad_input that names the option, the value and what is allowed. Without a role, an option has
  /// the role of its category.
  double real(const std::string& name, double initial, Bounds bounds, const std::string& help,
              const std::optional<Role>& role = {});
  Index integer(const std::string& name, Index initial, Bounds bounds, const std::string& help,
                const std::optional<Role>& role = {});
  bool flag(const std::string& name, bool initial, const std::string& help,
            const std::optional<Role>& role = {});
  std::string text(const std::string& name, const std::string& initial, const std::string& help,
                   const std::optional<Role>& role = {});
  std::string choice(const std::string& name, const std::string& initial,
                     const std::vector<std::string>& choices, const std::string& help,
                     const std::optional<Role>& role = {});

  /// While it lives, what is declared belongs to this category of -help, one word, and has this role; without
  /// a role, the role that options had before. Elsewhere: "program", free.
  class Category {
   public:
    Category(Options& options, std::string word, const std::optional<Role>& role = {})
        : options_(options), word_(std::move(word)), role_(role.value_or(options.role_)) {
      swap();
    }
    ~Category() { swap(); }
    Category(const Category&) = delete;
    Category& operator=(const Category&) = delete;

   private:
    void swap() {
      std::swap(options_.category_, word_);
      std::swap(options_.role_, role_);
    }
    Options& options_;
    std::string word_;
    Role role_;
  };

  /// While it lives, what is declared has an effect only where the condition is met, as the options of a
  /// model have with this model alone. `require_effect` (option_rules.hpp) refuses them elsewhere.
  class OnlyWith {
   public:
    OnlyWith(Options& options, OptionCondition condition) : options_(options) {
      options_.only_with_.push_back(std::move(condition));
    }
    ~OnlyWith() { options_.only_with_.pop_back(); }
    OnlyWith(const OnlyWith&) = delete;
    OnlyWith& operator=(const OnlyWith&) = delete;

   private:
    Options& options_;
  };

  /// Declares that a PETSc solver with this options prefix exists in the program: for -help and for misspelt
  /// names. `kind` is SNES, KSP, TS, EPS, SVD or TAO.
  void solver(const std::string& prefix, const std::string& kind, const std::string& defaults);

  /// Throws bad_input if the database holds an option that nothing has asked for, naming the nearest known
  /// one. Call after every solver was set from options and before the long part of the run.
  void reject_unknown() const;
  /// The same before any solver is made, so that what stands behind the prefix of a solver passes.
  void reject_undeclared() const;

  /// What the database holds that nothing has asked for, that is behind no prefix of a solver, and nearly a
  /// known name: "; -dat is unknown, the nearest is -data", or nothing.
  [[nodiscard]] std::string misspelt() const;

  [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }
  /// Names of the options with this role.
  [[nodiscard]] std::vector<std::string> names(Role::Kind kind) const;
  /// Declared options as "name value", then the user's options for PETSc's solvers: an -options_file of this
  /// run.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> resolved() const;
  /// The text of -help, by categories, or of `-help CATEGORY`. Lines are broken at the width of the terminal,
  /// or at the variable COLUMNS; not at all where neither is known. Throws bad_input that lists the
  /// categories if there is none of that name.
  [[nodiscard]] std::string help(const std::string& usage, const std::string& category = {}) const;
  /// The text of `-help markdown`: a table of the options of each category, for the documents.
  [[nodiscard]] std::string markdown() const;

 private:
  Setting& declare(const std::string& name, const std::string& initial, const std::string& range,
                   const std::string& help, const std::optional<Role>& role);
  void reject(const std::vector<std::string>& unused) const;
  /// What is wrong with a name, and whether that says what it should have been.
  struct Hint {
    std::string text;
    bool corrects = false;
  };
  [[nodiscard]] Hint hint_for(const std::string& name, const std::vector<std::string>& known) const;
  [[nodiscard]] std::string unused_reason(const std::string& name) const;
  [[nodiscard]] std::string with_prefixes(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> known_names() const;
  [[nodiscard]] std::vector<std::string> undeclared_names() const;
  struct Solver {
    std::string prefix, kind, defaults;
  };
  [[nodiscard]] std::vector<std::string> categories() const;
  [[nodiscard]] std::string solvers_help() const;
  std::vector<Setting> settings_;
  std::vector<Solver> solvers_;
  std::string category_ = "program";
  Role role_;
  std::vector<OptionCondition> only_with_;
};

/// Not collective. The value of an option in PETSc's database, which counts as asked for; nothing if it is
/// not there. For those that must look at an option before it is declared.
[[nodiscard]] std::optional<std::string> given_value(const std::string& name);

/// Not collective. Names and values in PETSc's database that nothing has asked for yet. Looking does not
/// count as asking.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> unused_options();

/// Not collective. All names and values in it; nothing counts as asked for by that.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> all_options();

/// The entry of `names` with the smallest edit distance to `word`; empty if none is near (over half its
/// length).
[[nodiscard]] std::string nearest_name(const std::string& word, const std::vector<std::string>& names);

/// Shortest text that reads back as the same double.
[[nodiscard]] std::string to_text(double value);

/// Not collective. The same for JSON, which has neither infinities nor NaN: "null" for these.
[[nodiscard]] std::string json_number(double value);

/// "1 step", "2 steps", "2 classes".
[[nodiscard]] std::string plural(Index count, const std::string& word);

}  // namespace base
}  // namespace poise
