#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace dynamics {

/// Gradient flow dθ/dt = −∇L(θ) by PETSc TS, prefix `flow_`. Default: Fehlberg's Runge-Kutta 5(4) with
/// adaptive steps (relative and absolute tolerance 1e-8, see scale_tolerances). It costs as many stages as
/// the usual Dormand-Prince pair with its reused last stage, but carries nothing from step to step, so that a
/// resumed run repeats an uninterrupted run bit for bit. Types that reuse a stage are restarted at every step
/// for the same reason. Adaptive step sizes are rounded to 8 binary digits, so that a run takes the same
/// steps on any number of ranks. The first step changes θ by at most a hundredth. If steps are tiny compared
/// to the remaining time (a stiff flow), one warning says so. Types other than rk, and rk types without an
/// embedded method, have no error estimate: DynamicsState::local_error_sum is then infinite.
///
/// If the gradient of a stage or of the end of a step cannot be computed (a number is not finite, or a solve
/// fails, on all ranks), the step is rejected with a warning and taken again with a fourth of its size
/// (`flow_ts_adapt_scale_solve_failed`). The failure is thrown after `flow_ts_max_reject` rejections of one
/// step, 10 by default, and at once if the step size is fixed (`flow_ts_adapt_type none`).
class Flow final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` must outlive the flow. Ends at `end_time`
  /// exactly, or after `max_steps` steps in all.
  Flow(Objective& objective, Vec theta_like, double end_time, Index max_steps);
  Flow(const Flow&) = delete;  // PETSc holds pointers to it
  Flow& operator=(const Flow&) = delete;
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;
  /// Not collective. Sets a new end time for the next `run`, which goes on from the end of the last `run`
  /// without computing the gradient there again. So a run in parts ends exactly at given times.
  void set_end_time(double end_time) { end_time_ = end_time; }
  /// Not collective. For θ as in `layout`, which must outlive the flow: the absolute tolerance of a block of
  /// θ shrinks with the block if the root mean square of its entries is below 0.01, so that small parameters
  /// (of small targets, for example) are as accurate as large ones. A given -flow_ts_atol is not changed.
  void scale_tolerances(const ParameterLayout& layout);

 private:
  /// Computes the gradient at θ, unless the last evaluation was at the same θ (as for the first stage of a
  /// step).
  void evaluate(Vec theta);
  /// Evaluates the gradient at a trial point. Returns whether that succeeded; if not, keeps the failure.
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
  VecHandle start_;  // θ at the start of the current step
  VecHandle embedded_;
  const ParameterLayout* layout_ = nullptr;  // the layout for tolerances_
  double absolute_ = 0.0;
  VecHandle tolerances_;
  PetscInt rejected_ = 0;  // rejected steps whose start θ has been restored
  Evaluation known_;
  bool is_known_ = false;
  std::optional<Error> failure_;  // failure in the current step
  DynamicsState* state_ = nullptr;
  const Observer* observer_ = nullptr;
  bool stopped_ = false;
  struct {
    Index step = 0;
    double t = 0.0;
  } window_;           // start of the window of steps whose mean length is taken next
  double pace_ = 0.0;  // mean length of the steps in the previous window
  bool is_stiff_ = false;
};

/// The kind of -dynamics flow. Its tolerances are scaled to the blocks of θ.
[[nodiscard]] std::shared_ptr<DynamicsKind> flow_kind();

}  // namespace dynamics
}  // namespace poise
