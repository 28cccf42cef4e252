#include "poise/base/option_rules.hpp"

#include <algorithm>

#include "poise/base/error.hpp"
#include "poise/base/text.hpp"

namespace poise {
inline namespace base {
namespace {

struct Given {
  std::string name, value;
};

/// "-batch 4", or "-eq_snes_mf" for a flag of PETSc.
std::string written(const std::string& name, const std::string& value) {
  return "-" + name + (value.empty() ? "" : " " + value);
}

/// The declared options and the options that no code has read, and the rules that they break.
class Choices {
 public:
  explicit Choices(const Options& options) : settings_(options.settings()) {
    for (const auto& [name, value] : unused_options()) unused_.push_back({name, value});
  }

  /// Options that the user has set to a value that is not the default.
  [[nodiscard]] std::vector<Given> given() const {
    std::vector<Given> given;
    for (const Setting& setting : settings_)
      if (setting.given && !same_value(setting.value, setting.initial))
        given.push_back({setting.name, setting.value});
    given.insert(given.end(), unused_.begin(), unused_.end());
    return given;
  }
  [[nodiscard]] bool broken(const OptionRule& rule, const std::string& name) const {
    return is_about(rule, name) && std::none_of(rule.any.begin(), rule.any.end(),
                                                [&](const auto& condition) { return met(condition); });
  }
  /// "-batch 4 does not go with -dynamics flow: leave it out, or give -dynamics descent".
  [[nodiscard]] std::string message(const OptionRule& rule, const Given& given) const {
    std::vector<std::string> now, cures;
    for (const OptionCondition& condition : rule.any) {
      const std::string value = value_of(condition.option);
      now.push_back(value.empty() ? "the default of -" + condition.option : written(condition.option, value));
      std::vector<std::string> values = condition.values;
      std::erase(values, "");
      cures.push_back(
          written(condition.option, (condition.except ? "other than " : "") + join(values, ", ", " or ")));
    }
    return written(given.name, given.value) + " does not go with " + join(now, ", ", " and ") +
           ": leave it out, or give " + join(cures, ", ", " or ");
  }

 private:
  [[nodiscard]] std::string value_of(const std::string& name) const {
    for (const Setting& setting : settings_)
      if (setting.name == name) return setting.value;
    for (const Given& option : unused_)
      if (option.name == name) return option.value;
    return {};
  }
  [[nodiscard]] bool met(const OptionCondition& condition) const {
    const std::string value = value_of(condition.option);
    const bool found = std::any_of(condition.values.begin(), condition.values.end(),
                                   [&](const std::string& v) { return same_value(v, value); });
    return found != condition.except;
  }
  /// A prefix means PETSc's options, not options of Poise that begin with the same letters.
  [[nodiscard]] bool is_about(const OptionRule& rule, const std::string& name) const {
    if (!rule.option.ends_with("*")) return rule.option == name;
    return name.starts_with(rule.option.substr(0, rule.option.size() - 1)) &&
           std::none_of(settings_.begin(), settings_.end(),
                        [&](const Setting& setting) { return setting.name == name; });
  }

  const std::vector<Setting>& settings_;
  std::vector<Given> unused_;  // options whose solvers have not asked for them yet
};

}  // namespace

void require_effect(const Options& options, const std::vector<OptionRule>& rules,
                    const std::vector<std::string>& recalled) {
  const Choices choices(options);
  std::vector<OptionRule> all;
  for (const Setting& setting : options.settings())
    for (const OptionCondition& condition : setting.only_with) all.push_back({setting.name, {condition}});
  all.insert(all.end(), rules.begin(), rules.end());
  std::string text;
  for (const Given& given : choices.given()) {
    if (std::find(recalled.begin(), recalled.end(), given.name) != recalled.end()) continue;
    const auto rule = std::find_if(all.begin(), all.end(),
                                   [&](const OptionRule& r) { return choices.broken(r, given.name); });
    if (rule != all.end()) text += (text.empty() ? "" : "; ") + choices.message(*rule, given);
  }
  if (!text.empty()) throw Error(ExitCode::bad_input, text, true);
}

}  // namespace base
}  // namespace poise
