#pragma once

#include <petsctao.h>

#include <memory>
#include <string>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {
inline namespace dynamics {

/// Minimises the loss by PETSc TAO, prefix `min_`. Default: limited-memory quasi-Newton (LMVM) with its Moré-
/// Thuente line search, until ‖∇L‖ <= 1e-8 (-min_tao_gatol), or ‖∇L‖ <= 1e-10 times its value at the start
/// (-min_tao_gttol; grtol is 0), or until the line search meets the rounding of the loss. A step is one of
/// TAO's iterations and counts as 1 in t. For the Newton types (-min_tao_type nls, ntr, ntl) a product with
/// the Hessian is the difference quotient (∇L(θ + εv) − ∇L(θ))/ε, ε = √(ε_mach (1 + ‖θ‖))/‖v‖: one gradient.
/// These types have no preconditioner, except ntl, which has the preconditioner of LMVM.
///
/// If the evaluation fails at a trial point of a line search or trust region, TAO gets a loss that is too
/// high and tries a shorter step; the failure is an error only if the search then finds no point. A failure
/// at the start or in a product with the Hessian is an error at once.
///
/// All samples enter every evaluation. TAO's knowledge of the curvature is not part of the state: a resumed
/// run starts anew from θ, and takes different steps from a run without interruption.
class Minimise final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` must outlive it. Ends after `max_steps`
  /// steps in all (-min_tao_max_it has no effect). `run` throws failure if TAO ends without a minimum.
  Minimise(Objective& objective, Vec theta_like, Index max_steps);
  Minimise(const Minimise&) = delete;  // PETSc holds pointers to it
  Minimise& operator=(const Minimise&) = delete;
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;

 private:
  /// A θ with its evaluation and its gradient.
  struct Point {
    VecHandle theta, gradient;
    Evaluation evaluation;
    bool is_set = false;
  };
  void register_callbacks();
  /// Puts the evaluation at θ into `known_`, unless it is there already.
  void evaluate(Vec theta);
  void objective(Vec theta, double& loss, Vec gradient);
  /// The loss and gradient that TAO gets for a trial point whose evaluation failed.
  void too_high(Vec theta, double& loss, Vec gradient);
  void linearise(Vec theta);
  void hessian_product(const double* v, double* product);
  void after_iteration();
  StopReason finish();
  [[nodiscard]] bool is_at_rounding() const;

  Objective& objective_;
  Index max_steps_;
  Handle<Tao, TaoDestroy> tao_;
  Point known_, accepted_;  ///< the last evaluated point; the point that TAO accepted last
  VecHandle base_, base_gradient_, direction_, shifted_;  ///< work vectors of Hessian products
  double base_norm_ = 0.0;
  ShellOperator hessian_;
  double first_gradient_ = 0.0, last_decrease_ = -1.0;  // of this `run`
  std::string last_failure_;
  DynamicsState* state_ = nullptr;
  const Observer* observer_ = nullptr;
  Index first_step_ = 0;
  bool stopped_ = false;
};

/// The kind of -dynamics minimise.
[[nodiscard]] std::shared_ptr<DynamicsKind> minimise_kind();

}  // namespace dynamics
}  // namespace poise
