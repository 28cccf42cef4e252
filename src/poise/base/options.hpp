#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// The allowed range of an option, and its unit.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open = false;       ///< neither `low` nor `high` is included
  bool infinite = false;   ///< inf is allowed (real options only)
  bool open_high = false;  ///< `high` is not included
  const char* unit = "";   ///< "seconds"; empty: a plain number
};

/// How a run that continues from a checkpoint (-resume) treats an option.
struct Role {
  enum Kind {
    free,       ///< the value may change
    identity,   ///< the option defines the run: its value must not change
    end,        ///< the option sets the end of the run: identity if earlier steps depend on it, else free
    invocation  ///< the option concerns one invocation of the program and is not stored with the run
  };
  Kind kind = free;
  std::string why = {};  ///< why the value must not change (identity, end); a clause of the error message
};

/// A condition for the effect of other options: `option` has one of `values`, or, with `except`, none of
/// them. If the user does not give an option of PETSc, its value is empty.
struct OptionCondition {
  std::string option;
  std::vector<std::string> values;
  bool except = false;
};

/// The value of an option, of the type that it was declared with.
using OptionValue = std::variant<double, Index, std::string, bool>;
enum class OptionKind { text, real, integer, flag };
using OptionKinds = std::map<std::string, OptionKind>;  // by the names of the options

/// The value of an option from its text. An option without a kind, which was not declared (PETSc's), has the
/// type that its text looks like. Not collective.
[[nodiscard]] OptionValue typed_value(const std::string& name, const std::string& text,
                                      const OptionKinds& kinds);
/// The text of a value; typed_value of it is the value again. Not collective.
[[nodiscard]] std::string text_of(const OptionValue& value);
/// Whether two texts have the same value, as "0.80" and "0.8" have. Not collective.
[[nodiscard]] bool same_value(const std::string& a, const std::string& b);

/// One declared option with the value this run uses.
struct Setting {
  std::string name;  ///< without the dash
  std::string value;
  std::string initial;  ///< the default
  std::string range;    ///< for -help, with the unit
  std::string help;
  bool given = false;                      ///< set by the user
  std::string category;                    ///< in -help; see Options::Category
  std::vector<OptionCondition> only_with;  ///< if one is not met, no effect; see Options::OnlyWith
  Role role;
  OptionKind kind = OptionKind::text;
};

/// Declares options and reads them from the PETSc options database (command line, -options_file, YAML,
/// PETSC_OPTIONS). A parameter is declared where it is used, once, with default, range, unit, help and role;
/// reading its value declares it. The list of declared options is the source of -help, the tables of options
/// in the documents, the record in run files, the search for misspelt names, and the check of a resumed run.
/// PetscOptionsBegin/End is not used because it knows neither ranges of reals nor which names exist. Every
/// method is deterministic for identical databases, hence has the same result on every rank; no method
/// communicates.
class Options {
 public:
  /// Each of these methods declares an option and returns its value. Throws bad_input that names the option,
  /// the value and the allowed values. Without `role`, the option has the role of its category.
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

  /// While this object lives, declared options belong to the category `word` of -help (one word) and have the
  /// role `role`; without `role`, the role of the enclosing category. Without any Category: "program", free.
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

  /// While this object lives, declared options have an effect only if the condition is met. Example: the
  /// options of a model need this model. `require_effect` (option_rules.hpp) refuses options without effect.
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

  /// Declares that the program has a PETSc solver with this options prefix, for -help and the search for
  /// misspelt names. `kind` is SNES, KSP, TS, EPS, SVD or TAO.
  void solver(const std::string& prefix, const std::string& kind, const std::string& defaults);

  /// Throws bad_input if the database holds an option that no code has read; the message names the nearest
  /// known option. Call this after all solvers have read their options and before the long part of the run.
  void reject_unknown() const;
  /// The same check before solvers exist: options that begin with the prefix of a declared solver pass.
  void reject_undeclared() const;

  /// Corrections of misspelt options: "; option -dat is unknown, the nearest is -data". Empty if there are
  /// none. Options that begin with the prefix of a declared solver are not examined.
  [[nodiscard]] std::string misspelt() const;

  [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }
  /// The declared option with this name; null if there is none.
  [[nodiscard]] const Setting* find(const std::string& name) const;
  /// Whether an option is declared or belongs to a declared solver. The others are PETSc's own, such as
  /// -log_view.
  [[nodiscard]] bool knows(const std::string& name) const;
  /// Whether an option configures a declared solver, so that results may depend on it. Options that only make
  /// a solver print do not.
  [[nodiscard]] bool configures_solver(const std::string& name) const;
  /// Names of the options with this role.
  [[nodiscard]] std::vector<std::string> names(Role::Kind kind) const;
  /// Names and values of the declared options, then of the user's options for PETSc's solvers. As an
  /// -options_file they repeat the run.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> resolved() const;
  /// The kinds of the declared options by their names.
  [[nodiscard]] OptionKinds kinds() const;
  /// The text of -help, by categories, or of `-help CATEGORY`. Lines are wrapped at the environment variable
  /// COLUMNS, else at the width of the terminal; if neither is known, they are not wrapped. Throws bad_input
  /// that lists the categories if `category` is unknown.
  [[nodiscard]] std::string help(const std::string& usage, const std::string& category = {}) const;
  /// The text of `-help markdown`: a table of the options of each category, for the documents.
  [[nodiscard]] std::string markdown() const;

 private:
  Setting& declare(const std::string& name, const std::string& initial, const std::string& range,
                   const std::string& help, const std::optional<Role>& role,
                   OptionKind kind = OptionKind::text);
  void reject(const std::vector<std::string>& unused) const;
  /// Why an option is rejected, and whether the text proposes a correction.
  struct Hint {
    std::string text;
    bool corrects = false;
  };
  [[nodiscard]] Hint hint_for(const std::string& name, const std::vector<std::string>& known) const;
  [[nodiscard]] std::string unused_reason(const std::string& name) const;
  [[nodiscard]] std::string with_prefixes(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> known_names() const;
  /// All known names of options of a solver of this kind, without the prefix; empty for other kinds.
  [[nodiscard]] static std::vector<std::string> names_of(const std::string& kind);
  [[nodiscard]] std::vector<std::string> undeclared_names() const;
  struct Solver {
    std::string prefix, kind, defaults;
  };
  /// The solver that an option belongs to: prefixes overlap, and the longest one counts. Null if there is
  /// none.
  [[nodiscard]] const Solver* owner_of(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> categories() const;
  [[nodiscard]] std::string solvers_help() const;
  std::vector<Setting> settings_;
  std::vector<Solver> solvers_;
  std::string category_ = "program";
  Role role_;
  std::vector<OptionCondition> only_with_;
};

/// Not collective. The value of an option in PETSc's database; nothing if the option is not there. The option
/// then counts as read. For code that needs the value before the option is declared.
[[nodiscard]] std::optional<std::string> given_value(const std::string& name);

/// Not collective. Names and values of the options in PETSc's database that no code has read yet. This call
/// does not count as reading them.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> unused_options();

/// Not collective. Names and values of all options in PETSc's database. This call does not count as reading
/// them.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> all_options();

/// The entry of `names` with the smallest edit distance to `word`; empty if no distance is below half the
/// length of `word` (or below 2, for short words).
[[nodiscard]] std::string nearest_name(const std::string& word, const std::vector<std::string>& names);

/// Shortest text that reads back as the same double.
[[nodiscard]] std::string to_text(double value);

/// Not collective. The same for JSON; "null" for infinities and NaN, which JSON does not have.
[[nodiscard]] std::string json_number(double value);

/// "1 step", "2 steps", "2 classes".
[[nodiscard]] std::string plural(Index count, const std::string& word);

}  // namespace base
}  // namespace poise
