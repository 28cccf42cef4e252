#pragma once

#include <petsctao.h>

#include <memory>
#include <string>

#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"

namespace poise {

/// Minimises the loss by PETSc TAO, prefix `min_`. Default: limited-memory quasi-Newton (LMVM) with its Moré-
/// Thuente line search, until ‖∇L‖ <= 1e-8 (-min_tao_gatol) or 1e-10 of that at the start (-min_tao_gttol;
/// grtol is 0), or until the line search meets the rounding of the loss. A step is one of TAO's iterations
/// and counts as 1 in t. For the Newton types (-min_tao_type nls, ntr, ntl) a product with the Hessian is the
/// difference quotient (∇L(θ + εv) − ∇L(θ))/ε, ε = √(ε_mach (1 + ‖θ‖))/‖v‖: one gradient. They take no
/// preconditioner, ntl that of LMVM.
///
/// A trial point of a line search or trust region where the evaluation fails is handed to TAO as one that is
/// too high, so that it tries a shorter step; only if the search then finds nothing is the failure an error.
/// At the start and in a product with the Hessian it is one at once.
///
/// All samples enter every evaluation. What TAO has learnt of the curvature is not part of the state: a
/// resumed run starts afresh from θ, and so takes other steps than a straight one.
class Minimise final : public Dynamics {
 public:
  /// Collective on the communicator of `theta_like`. `objective` must outlive it. Ends after `max_steps`
  /// steps in all (-min_tao_max_it has no effect). `run` throws failure if TAO ends without a minimum.
  Minimise(Objective& objective, Vec theta_like, Index max_steps);
  Minimise(const Minimise&) = delete;  // PETSc holds pointers to it
  Minimise& operator=(const Minimise&) = delete;
  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override;

 private:
  /// A place of the objective, with its gradient.
  struct Point {
    VecHandle theta, gradient;
    Evaluation evaluation;
    bool is_set = false;
  };
  void register_callbacks();
  /// The objective at θ in `known_`, computed unless it is there.
  void evaluate(Vec theta);
  void objective(Vec theta, double& loss, Vec gradient);
  /// What TAO gets of a trial point that failed.
  void too_high(Vec theta, double& loss, Vec gradient);
  void linearise(Vec theta);
  void hessian_product(const double* v, double* product);
  void after_iteration();
  StopReason finish();
  [[nodiscard]] bool is_at_rounding() const;

  Objective& objective_;
  Index max_steps_;
  Handle<Tao, TaoDestroy> tao_;
  Point known_, accepted_;                                ///< evaluated last; where TAO stands
  VecHandle base_, base_gradient_, direction_, shifted_;  ///< of Hessian products
  double base_norm_ = 0.0;
  ShellOperator hessian_;
  double first_gradient_ = 0.0, last_decrease_ = -1.0;  // of this `run`
  std::string last_failure_;
  DynamicsState* state_ = nullptr;
  const Observer* observer_ = nullptr;
  Index first_step_ = 0;
  bool stopped_ = false;
};

/// -dynamics minimise.
[[nodiscard]] std::shared_ptr<DynamicsKind> minimise_kind();

}  // namespace poise
