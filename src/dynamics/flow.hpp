#pragma once

#include <algorithm>

#include "poise/dynamics/dynamics.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {

/// Gradient flow dθ/dt = −∇L(θ) by PETSc TS, prefix `flow_`. Default: Fehlberg's Runge-Kutta 5(4) with
/// adaptive steps (relative and absolute tolerance 1e-8). It has as many stages as the usual Dormand-Prince
/// pair costs with its reused last stage, but carries nothing from step to step, so a resumed run repeats the
/// straight one bit by bit. Types that do reuse a stage are restarted every step for the same reason.
/// Adaptive step sizes are rounded to 8 binary digits, so that a run takes the same steps on any number of
/// ranks.
class Flow final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` must outlive the flow. Ends at `end_time`
  /// exactly, or after `max_steps` steps in all.
  Flow(Objective& objective, Vec theta_like, double end_time, Index max_steps);
  Flow(const Flow&) = delete;  // PETSc holds pointers to it
  Flow& operator=(const Flow&) = delete;
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;
  /// Not collective. Another end time for the next `run`, which goes on from where the last one ended without
  /// computing that gradient again: a run in parts ends at given times exactly.
  void set_end_time(double end_time) { end_time_ = end_time; }

 private:
  /// The gradient at θ, reused if θ is where it was last evaluated (the first stage of a step is).
  void evaluate(Vec theta);
  void right_hand_side(Vec theta, Vec derivative);
  void after_step();
  double local_error(Vec theta);

  Objective& objective_;
  double end_time_;
  Index max_steps_;
  TsHandle ts_;
  VecHandle known_theta_, known_gradient_, embedded_;
  Evaluation known_;
  bool is_known_ = false;
  DynamicsState* state_ = nullptr;
  const Observer* observer_ = nullptr;
  bool stopped_ = false;
};

}  // namespace poise
