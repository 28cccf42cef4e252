#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {

/// Not collective. Adds a value to -dynamics: that of the kind that `make` makes, with its options. Call it
/// on every rank, before the options are read: first thing in main, before train_main and its likes.
void register_dynamics(std::function<std::shared_ptr<DynamicsKind>()> make);
template <class Kind>
void register_dynamics() {
  register_dynamics([] { return std::make_shared<Kind>(); });
}

/// One of every kind of dynamics: flow, descent, minimise, then those that were registered, in that order.
/// Not collective.
class DynamicsKinds {
 public:
  /// Their options have their defaults. Throws failure if two kinds have the same name.
  DynamicsKinds();
  /// Declares and reads the options of all kinds, which have an effect with their kind only. Throws
  /// bad_input.
  void read(Options& options);

  [[nodiscard]] const std::vector<std::shared_ptr<DynamicsKind>>& all() const& { return kinds_; }
  void all() const&& = delete;  // a loop over those of a temporary
  /// The kind of that name; it takes part in a later `read`. Throws failure if there is none.
  [[nodiscard]] std::shared_ptr<const DynamicsKind> find(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// Of those with a property, as in names_where(&DynamicsKind::takes_minibatches).
  [[nodiscard]] std::vector<std::string> names_where(bool (DynamicsKind::*property)() const) const;
  /// "; flow: …; descent: …", for the help of -dynamics.
  [[nodiscard]] std::string help() const;
  /// Where else their options have an effect, for require_effect.
  [[nodiscard]] std::vector<OptionRule> rules() const;

 private:
  std::vector<std::shared_ptr<DynamicsKind>> kinds_;
};

}  // namespace poise
