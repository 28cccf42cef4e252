#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {

/// Gradient flow dθ/dt = −∇L(θ) by PETSc TS, prefix `flow_`. Default: Fehlberg's Runge-Kutta 5(4) with
/// adaptive steps (relative and absolute tolerance 1e-8, see scale_tolerances). It has as many stages as the
/// usual Dormand-Prince pair costs with its reused last stage, but carries nothing from step to step, so a
/// resumed run repeats the straight one bit by bit. Types that do reuse a stage are restarted every step for
/// the same reason. Adaptive step sizes are rounded to 8 binary digits, so that a run takes the same steps on
/// any number of ranks. The first step is at most one that changes θ by a hundredth; where steps are tiny
/// beside the time that is left (a stiff flow), a warning says so once. Types other than rk, and rk types
/// without an embedded method, have no error estimate: DynamicsState::local_error_sum is then infinite.
///
/// A step on which the gradient cannot be computed (a stage or the end is not finite, or a solve fails there,
/// on all ranks) is rejected with a warning and taken again with a fourth of its size
/// (`flow_ts_adapt_scale_solve_failed`). The failure itself is thrown after `flow_ts_max_reject` rejections
/// of one step, 10 by default, and at once where the step size is fixed (`flow_ts_adapt_type none`).
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
  /// Not collective. For θ as in `layout`, which must outlive the flow: the absolute tolerance of each block
  /// of θ shrinks with the block where its entries are below 0.01 in root mean square, so that small
  /// parameters, those of small targets for example, are as right as others. A given -flow_ts_atol stays as
  /// it is.
  void scale_tolerances(const ParameterLayout& layout);

 private:
  /// The gradient at θ, reused if θ is where it was last evaluated (the first stage of a step is).
  void evaluate(Vec theta);
  /// Whether a trial point has a gradient, which is then known; keeps the failure if not.
  bool can_evaluate(Vec theta);
  [[nodiscard]] bool has_fixed_steps() const;
  void before_stage();
  void right_hand_side(Vec theta, Vec derivative);
  void after_step();
  double local_error(Vec theta);
  void update_tolerances(Vec theta);
  void choose_first_step(Vec theta);
  void warn_if_stiff(Vec theta);

  Objective& objective_;
  double end_time_;
  double first_step_size_ = 0.0;
  Index max_steps_;
  TsHandle ts_;
  VecHandle known_theta_, known_gradient_;
  VecHandle start_;  // θ where the step in hand begins
  VecHandle embedded_;
  const ParameterLayout* layout_ = nullptr;  // of tolerances_
  double absolute_ = 0.0;
  VecHandle tolerances_;
  PetscInt rejected_ = 0;  // steps whose θ has been put back
  Evaluation known_;
  bool is_known_ = false;
  std::optional<Error> failure_;  // of the step in hand
  DynamicsState* state_ = nullptr;
  const Observer* observer_ = nullptr;
  bool stopped_ = false;
  struct {
    Index step = 0;
    double t = 0.0;
  } window_;           // where the steps whose mean length is next taken began
  double pace_ = 0.0;  // that mean of the window before
  bool is_stiff_ = false;
};

/// -dynamics flow. Its tolerances are scaled to the blocks of θ.
[[nodiscard]] std::shared_ptr<DynamicsKind> flow_kind();

}  // namespace poise
