#include "poise/dynamics/dynamics_kind.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/dynamics/minimise.hpp"

namespace poise {
inline namespace dynamics {

std::string end_text(double end_time, Index max_steps) {
  return std::isfinite(end_time) ? fmt::format("t = {} or step {}", to_text(end_time), max_steps)
                                 : fmt::format("step {}", max_steps);
}

std::string DynamicsKind::description(double end_time, Index max_steps, const std::string& batches) const {
  return name() + batches + ", to " + end_text(end_time, max_steps);
}

std::string DynamicsKind::beyond_gradients() const {
  return "the steps of -dynamics " + name() + " need not be along gradients";
}

std::string DynamicsKind::violation_cure() const {
  return "-dynamics " + name() + " follows the flow only with small steps: reduce the steps";
}

namespace {

using Makers = std::vector<std::function<std::shared_ptr<DynamicsKind>()>>;

/// A static object of this function, so that programs may also register before main.
Makers& makers() {
  static Makers table{flow_kind, [] { return descent_kind(); }, minimise_kind};
  return table;
}

/// A failure that every rank throws alike: all ranks register the same kinds.
Error shared_failure(const std::string& message) {
  return {ExitCode::failed, message, true};
}

}  // namespace

void register_dynamics(std::function<std::shared_ptr<DynamicsKind>()> make) {
  makers().push_back(std::move(make));
}

DynamicsKinds::DynamicsKinds() {
  for (const auto& make : makers()) {
    std::shared_ptr<DynamicsKind> kind = make();
    for (const auto& other : kinds_)
      if (other->name() == kind->name())
        throw shared_failure("two dynamics are registered under the name " + kind->name());
    kinds_.push_back(std::move(kind));
  }
}

void DynamicsKinds::read(Options& options) {
  for (const auto& kind : kinds_) {
    const Options::OnlyWith only(options, {"dynamics", {kind->name()}});
    kind->read(options);
  }
}

std::shared_ptr<const DynamicsKind> DynamicsKinds::find(const std::string& name) const {
  for (const auto& kind : kinds_)
    if (kind->name() == name) return kind;
  throw shared_failure("no dynamics is registered under the name " + name);
}

std::vector<std::string> DynamicsKinds::names() const {
  std::vector<std::string> names;
  for (const auto& kind : kinds_) names.push_back(kind->name());
  return names;
}

std::vector<std::string> DynamicsKinds::names_where(bool (DynamicsKind::*property)() const) const {
  std::vector<std::string> names;
  for (const auto& kind : kinds_)
    if ((kind.get()->*property)()) names.push_back(kind->name());
  return names;
}

std::string DynamicsKinds::help() const {
  std::string text;
  for (const auto& kind : kinds_) text += "; " + kind->name() + ": " + kind->help();
  return text;
}

std::vector<OptionRule> DynamicsKinds::rules() const {
  std::vector<OptionRule> rules;
  for (const auto& kind : kinds_)
    for (OptionRule& rule : kind->rules()) rules.push_back(std::move(rule));
  return rules;
}

}  // namespace dynamics
}  // namespace poise
