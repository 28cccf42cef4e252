#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "poise/base/option_rules.hpp"
#include "poise/base/options.hpp"
#include "poise/dynamics/dynamics.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/minibatches.hpp"

namespace poise {
inline namespace dynamics {

/// What a Dynamics works on, and where it ends. The referenced objects must outlive the Dynamics.
struct DynamicsSetup {
  Objective& objective;
  Vec theta_like;  ///< has the layout of θ; need not be θ itself
  const ParameterLayout& layout;
  double end_time;
  Index max_steps;
  const Minibatches* batches = nullptr;  ///< null: all samples in every step
};

/// The PETSc solver of a dynamics: its options prefix, its kind (TS, TAO, …) and its defaults, as -help
/// prints them.
struct DynamicsSolver {
  std::string prefix, kind, defaults;
};

/// "t = 10 or step 500"; "step 500" if the end time is infinite.
[[nodiscard]] std::string end_text(double end_time, Index max_steps);

/// One value of -dynamics: its options, the factory of its Dynamics, and the answers to the questions of a
/// run and of its audit. Answers may depend on the options. A new kind needs name, help and make; the
/// defaults of the other functions are right for steps without a theorem that `Dynamics::vectors()`,
/// DynamicsState and θ determine. Only make is collective.
class DynamicsKind {
 public:
  virtual ~DynamicsKind() = default;
  /// The value of -dynamics: lower-case letters, digits and underscores.
  [[nodiscard]] virtual std::string name() const = 0;
  /// The clause about this kind in the help of -dynamics.
  [[nodiscard]] virtual std::string help() const = 0;
  /// Collective on the world. Throws bad_input if the options of its solver are wrong.
  [[nodiscard]] virtual std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const = 0;

  // Options.

  /// Declares and reads the options that belong to this kind alone. It is called whether or not the kind is
  /// chosen; if the kind is not chosen, its options are refused. A resumed run must have the same values,
  /// except of options that are declared with a different Role. Throws bad_input.
  virtual void read(Options&) {}
  /// Further conditions under which these options have an effect.
  [[nodiscard]] virtual std::vector<OptionRule> rules() const { return {}; }
  /// The PETSc solver; without a prefix there is none. Options with its prefix are refused if the kind is not
  /// chosen.
  [[nodiscard]] virtual DynamicsSolver solver() const { return {}; }

  // Questions of a run.

  /// The text in the header of a run. `batches`: ", batches of …", or empty.
  [[nodiscard]] virtual std::string description(double end_time, Index max_steps,
                                                const std::string& batches) const;
  /// Whether -time ends the run. If not, the run goes on until it converges, which may be long before the
  /// last step.
  [[nodiscard]] virtual bool ends_at_time() const { return true; }
  /// Whether the steps depend on the last step: then a resumed run must keep -steps.
  [[nodiscard]] virtual bool depends_on_end() const { return false; }
  /// Whether -batch is allowed: step k, counted from 0, then uses the gradient of
  /// DynamicsSetup::batches->at(k).
  [[nodiscard]] virtual bool takes_minibatches() const { return false; }
  /// Whether -dropout is allowed: step k, counted from 0, then evaluates the objective once, with
  /// Batch::step = k.
  [[nodiscard]] virtual bool takes_dropout() const { return false; }
  /// Whether it accepts an inexact gradient of the loss (-backward).
  [[nodiscard]] virtual bool takes_inexact_gradients() const { return true; }
  /// Whether a step computes one gradient, at its end. If so, a run with warm starts forgets them before it
  /// computes the gradient of a checkpoint. If not, it forgets them at the checkpoint and computes that
  /// gradient again, into the Vec that the observer got. In both cases the run goes on from the gradient that
  /// a restart computes.
  [[nodiscard]] virtual bool one_gradient_a_step() const { return false; }
  /// Why a run from a checkpoint does not repeat the steps of the original run; empty if it does.
  [[nodiscard]] virtual std::string why_not_repeatable() const { return {}; }

  // Questions of the audit.

  /// Whether it integrates the gradient flow and states its error in DynamicsState::local_error_sum.
  [[nodiscard]] virtual bool integrates_flow() const { return false; }
  /// Why not even small steps follow the gradient flow, the subject of Theorem 1; empty if they do. If empty,
  /// the run is audited.
  [[nodiscard]] virtual std::string beyond_the_flow() const { return "-dynamics " + name(); }
  /// Why θ minus its start is not a linear combination of gradients; empty if it is.
  [[nodiscard]] virtual std::string beyond_gradients() const;
  /// The η of a step θ − η∇L(θ) from `state`, to be compared with the largest stable step size; none for
  /// other steps.
  [[nodiscard]] virtual std::optional<double> step_size(const DynamicsState&, Index /*max_steps*/) const {
    return {};
  }
  /// The advice in the message about a violated bound of Theorem 1.
  [[nodiscard]] virtual std::string violation_cure() const;
  /// A line on the terminal after a violated verdict; if empty, there is none.
  [[nodiscard]] virtual std::string violation_advice() const { return {}; }
};

/// Not collective. Adds the kind that `make` returns, with its options, to the values of -dynamics. Call it
/// on every rank before the options are read: in main before train_main or audit_main.
void register_dynamics(std::function<std::shared_ptr<DynamicsKind>()> make);
template <class Kind>
void register_dynamics() {
  register_dynamics([] { return std::make_shared<Kind>(); });
}

/// All kinds of dynamics, one object each: flow, descent, minimise, then the registered kinds in the order of
/// their registration. Not collective.
class DynamicsKinds {
 public:
  /// All options have their defaults. Throws failure if two kinds have the same name.
  DynamicsKinds();
  /// Declares and reads the options of all kinds; each has an effect with its kind only. Throws bad_input.
  void read(Options& options);

  [[nodiscard]] const std::vector<std::shared_ptr<DynamicsKind>>& all() const& { return kinds_; }
  void all() const&& = delete;  // so that no loop runs over the kinds of a destroyed temporary
  /// The kind with this name; a later `read` changes its options. Throws failure if there is none.
  [[nodiscard]] std::shared_ptr<const DynamicsKind> find(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// The names of the kinds with a property, as in names_where(&DynamicsKind::takes_minibatches).
  [[nodiscard]] std::vector<std::string> names_where(bool (DynamicsKind::*property)() const) const;
  /// "; flow: …; descent: …", for the help of -dynamics.
  [[nodiscard]] std::string help() const;
  /// Further conditions under which the options have an effect, for require_effect.
  [[nodiscard]] std::vector<OptionRule> rules() const;

 private:
  std::vector<std::shared_ptr<DynamicsKind>> kinds_;
};

}  // namespace dynamics
}  // namespace poise
