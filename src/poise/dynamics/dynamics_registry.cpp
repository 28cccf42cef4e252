#include "poise/dynamics/dynamics_registry.hpp"

#include <utility>

#include "poise/base/error.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/dynamics/minimise.hpp"

namespace poise {
namespace {

using Makers = std::vector<std::function<std::shared_ptr<DynamicsKind>()>>;

/// A static object of this function, so that programs may register before main, too.
Makers& makers() {
  static Makers table{flow_kind, [] { return descent_kind(); }, minimise_kind};
  return table;
}

/// The same on every rank: all of them register alike.
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

}  // namespace poise
