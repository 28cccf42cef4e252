#pragma once

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

/// What a Dynamics moves, and where it ends. What is referred to must outlive the Dynamics.
struct DynamicsSetup {
  Objective& objective;
  Vec theta_like;  ///< has the layout of θ; need not be θ itself
  const ParameterLayout& layout;
  double end_time;
  Index max_steps;
  const Minibatches* batches = nullptr;  ///< null: all samples in every step
};

/// The PETSc solver of a dynamics: its options prefix, its kind (TS, TAO, …) and what -help says of it.
struct DynamicsSolver {
  std::string prefix, kind, defaults;
};

/// "t = 10 or step 500", or without the time where that is infinite.
[[nodiscard]] std::string end_text(double end_time, Index max_steps);

/// One value of -dynamics: its options, and what a run and its audit ask of it before, and beside, the
/// Dynamics that it makes. Answers may depend on its options. A new kind needs name, help and make; the
/// defaults of the rest are right for steps that no theorem is about and that `Dynamics::vectors()`,
/// DynamicsState and θ determine. No function is collective but make.
class DynamicsKind {
 public:
  virtual ~DynamicsKind() = default;
  /// The value of -dynamics: lower-case letters, digits and underscores.
  [[nodiscard]] virtual std::string name() const = 0;
  /// The clause about it in the help of -dynamics.
  [[nodiscard]] virtual std::string help() const = 0;
  /// Collective on the world. Throws bad_input where its solver's options are wrong.
  [[nodiscard]] virtual std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const = 0;

  // Its options.

  /// Declares and reads those that belong to it alone; called whether or not it is chosen. Throws bad_input.
  /// Where it is not chosen, they are refused. A resumed run must have the same ones, unless they are
  /// declared with another Role.
  virtual void read(Options&) {}
  /// Where else they have an effect.
  [[nodiscard]] virtual std::vector<OptionRule> rules() const { return {}; }
  /// Options behind its prefix are refused where the kind is not chosen. Without a prefix there is none.
  [[nodiscard]] virtual DynamicsSolver solver() const { return {}; }

  // What a run asks.

  /// What the header of a run says. `batches`: ", batches of …", or nothing.
  [[nodiscard]] virtual std::string description(double end_time, Index max_steps,
                                                const std::string& batches) const;
  /// Whether -time ends it. Else it goes on until it converges, which may be long before the last step.
  [[nodiscard]] virtual bool ends_at_time() const { return true; }
  /// Whether its steps before the end depend on where the end is: a resumed run then keeps -steps.
  [[nodiscard]] virtual bool depends_on_end() const { return false; }
  /// Whether -batch is allowed: step k from 0 is then along the gradient of DynamicsSetup::batches->at(k).
  [[nodiscard]] virtual bool takes_minibatches() const { return false; }
  /// Whether it makes do with a gradient that is not exactly that of the loss (-backward).
  [[nodiscard]] virtual bool takes_inexact_gradients() const { return true; }
  /// Whether a step computes one gradient, at its end. Then a run that keeps equilibria forgets them before
  /// the gradient of a checkpoint; else it computes that one again, into the Vec that the observer got.
  /// Either way it goes on from the gradient that a restart computes.
  [[nodiscard]] virtual bool one_gradient_a_step() const { return false; }
  /// Why steps from a checkpoint do not repeat those that the run took from there; empty if they do.
  [[nodiscard]] virtual std::string why_not_repeatable() const { return {}; }

  // What the theorems ask.

  /// Whether it integrates the gradient flow and states its error in DynamicsState::local_error_sum.
  [[nodiscard]] virtual bool integrates_flow() const { return false; }
  /// Why not even its small steps follow the gradient flow, which Theorem 1 is about; empty if they do, and
  /// the run is then audited.
  [[nodiscard]] virtual std::string beyond_the_flow() const { return "-dynamics " + name(); }
  /// Why θ less its start is no sum of multiples of gradients; empty if it is one.
  [[nodiscard]] virtual std::string beyond_gradients() const;
  /// η where the step from `state` is θ − η∇L(θ), to be compared with the largest stable one; else none.
  [[nodiscard]] virtual std::optional<double> step_size(const DynamicsState&, Index /*max_steps*/) const {
    return {};
  }
  /// The cure in the message where a bound of Theorem 1 was violated.
  [[nodiscard]] virtual std::string violation_cure() const;
  /// A line on the terminal after such a verdict; empty: none.
  [[nodiscard]] virtual std::string violation_advice() const { return {}; }
};

}  // namespace poise
