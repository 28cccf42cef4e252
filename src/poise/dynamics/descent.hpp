#pragma once

#include <memory>
#include <vector>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/dynamics/update_rule.hpp"
#include "poise/objective/minibatches.hpp"

namespace poise {

/// Gradient descent by steps of a given size, plain, with momentum, or by Adam, on all samples or on a
/// minibatch a step; options in DescentSettings. Time is counted as t = Σ η over the steps. The observer sees
/// the gradient before it is clipped; with minibatches, that of the batch of the step from there.
///
/// With -on_failure backtrack, where the evaluation after a step fails (a failed solve, a loss or gradient
/// that is not finite, a loss that has grown beyond `largest_growth`), the step is taken back and the step
/// size halved from then on, which is said on stderr; failed evaluations count as gradients. The error ends
/// the run if nothing was stepped yet, or if it is still there after 20 halvings of one step.
class Descent final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` and `batches` (null: all samples in every
  /// step) must outlive it. Ends after `max_steps` steps or at the first t >= end_time.
  Descent(Objective& objective, Vec theta_like, const DescentSettings& settings, double end_time,
          Index max_steps, const Minibatches* batches = nullptr);
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;
  /// Those of UpdateRule.
  [[nodiscard]] std::vector<std::pair<std::string, Vec>> vectors() override { return rule_.vectors(); }

 private:
  /// A point to go back to, with the gradient there.
  struct Kept {
    DynamicsState state;
    VecHandle theta, gradient;
    std::vector<VecHandle> moments;
    double gradient_norm = 0.0;
  };
  [[nodiscard]] double step_size_at(const DynamicsState& state) const;
  Evaluation evaluate(Vec theta, DynamicsState& state);
  /// A step and the evaluation at its end; smaller ones if it fails.
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

/// -dynamics descent; reading options replaces `settings`.
[[nodiscard]] std::shared_ptr<DynamicsKind> descent_kind(const DescentSettings& settings = {});

}  // namespace poise
