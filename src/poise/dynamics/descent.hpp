#pragma once

#include <memory>
#include <vector>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/dynamics/update_rule.hpp"
#include "poise/objective/minibatches.hpp"

namespace poise {
inline namespace dynamics {

/// Gradient descent with given step sizes: plain, with momentum, or by Adam, on all samples or on one
/// minibatch per step; options in DescentSettings. Time is t = Σ η over the steps. The observer sees the
/// gradient before it is clipped; with minibatches, it sees the gradient of the batch of the next step.
///
/// With -on_failure backtrack, if the evaluation after a step fails (a failed solve, a loss or gradient that
/// is not finite, a loss that has grown beyond `largest_growth`), the step is undone and the step size is
/// halved for the rest of the run, with a warning on stderr. Failed evaluations count as gradients. The error
/// ends the run if it occurs at the start, or if it remains after 20 halvings of one step.
class Descent final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` and `batches` (if null, all samples in every
  /// step) must outlive it. Ends after `max_steps` steps or at the first t >= end_time.
  Descent(Objective& objective, Vec theta_like, const DescentSettings& settings, double end_time,
          Index max_steps, const Minibatches* batches = nullptr);
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;
  /// The moments of the UpdateRule.
  [[nodiscard]] std::vector<std::pair<std::string, Vec>> vectors() override { return rule_.vectors(); }

 private:
  /// A point to go back to, with its gradient.
  struct Kept {
    DynamicsState state;
    VecHandle theta, gradient;
    std::vector<VecHandle> moments;
    double gradient_norm = 0.0;
  };
  [[nodiscard]] double step_size_at(const DynamicsState& state) const;
  Evaluation evaluate(Vec theta, DynamicsState& state);
  /// A step and the evaluation at its end; if it fails, smaller steps.
  Evaluation advance(Vec theta, DynamicsState& state);
  void step(Vec theta, DynamicsState& state);
  void keep(Vec theta, const DynamicsState& state);
  void go_back(Vec theta, DynamicsState& state, const Error& error);

  Objective& objective_;
  DescentSettings settings_;
  double end_time_;
  Index max_steps_;
  const Minibatches* batches_;
  UpdateRule rule_;
  VecHandle gradient_;
  double gradient_norm_ = 0.0;
  Kept kept_;
};

/// The kind of -dynamics descent; `DynamicsKind::read` replaces `settings`.
[[nodiscard]] std::shared_ptr<DynamicsKind> descent_kind(const DescentSettings& settings = {});

}  // namespace dynamics
}  // namespace poise
