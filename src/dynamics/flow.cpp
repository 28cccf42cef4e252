#include "poise/dynamics/flow.hpp"

#include <limits>
#include <string_view>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/dynamics/step_control.hpp"

namespace poise {
namespace {

constexpr double default_tolerance = 1e-8;
constexpr double default_first_step = 1e-3;

Flow& flow_of(TS ts) {
  void* flow = nullptr;
  check(TSGetApplicationContext(ts, &flow));
  return *static_cast<Flow*>(flow);
}

}  // namespace

Flow::Flow(Objective& objective, Vec theta_like, double end_time, Index max_steps)
    : objective_(objective),
      end_time_(end_time),
      max_steps_(max_steps),
      known_theta_(duplicate(theta_like)),
      known_gradient_(duplicate(theta_like)),
      start_(duplicate(theta_like)),
      embedded_(duplicate(theta_like)) {
  MPI_Comm comm = MPI_COMM_NULL;
  check(PetscObjectGetComm(reinterpret_cast<PetscObject>(theta_like), &comm));
  check(TSCreate(comm, ts_.out()));
  TS ts = ts_.get();
  check(TSSetOptionsPrefix(ts, "flow_"));
  check(TSSetProblemType(ts, TS_NONLINEAR));
  check(TSSetType(ts, TSRK));
  check(TSRKSetType(ts, TSRK5F));
  check(TSSetTolerances(ts, default_tolerance, nullptr, default_tolerance, nullptr));
  check(TSSetTimeStep(ts, default_first_step));
  check(TSSetExactFinalTime(ts, TS_EXACTFINALTIME_MATCHSTEP));
  check(TSSetErrorIfStepFails(ts, PETSC_FALSE));
  check(TSSetRHSFunction(
      ts, nullptr,
      +[](TS, PetscReal, Vec theta, Vec derivative, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<Flow*>(self)->right_hand_side(theta, derivative); });
      },
      this));
  check(TSSetApplicationContext(ts, this));
  check(TSSetFunctionDomainError(
      ts, +[](TS trying, PetscReal, Vec theta, PetscBool* accept) -> PetscErrorCode {
        return guarded([&] { *accept = flow_of(trying).can_evaluate(theta) ? PETSC_TRUE : PETSC_FALSE; });
      }));
  check(TSSetPostStep(
      ts, +[](TS stepped) -> PetscErrorCode { return guarded([&] { flow_of(stepped).after_step(); }); }));
  check(TSSetPreStage(
      ts, +[](TS trying, PetscReal) -> PetscErrorCode {
        return guarded([&] { flow_of(trying).before_stage(); });
      }));
  check(TSSetFromOptions(ts));
  check(TSGetTimeStep(ts, &first_step_size_));
  control_steps(ts);
}

void Flow::evaluate(Vec theta) {
  if (is_known_) {
    PetscBool same = PETSC_FALSE;
    check(VecEqual(theta, known_theta_.get(), &same));
    if (same) return;
  }
  is_known_ = false;
  ++state_->gradients;
  known_ = objective_.value_and_gradient(theta, known_gradient_.get());
  require_finite(known_gradient_.get(), "the gradient");
  check(VecCopy(theta, known_theta_.get()));
  is_known_ = true;
}

bool Flow::has_fixed_steps() const {
  TSAdapt adapt = nullptr;
  PetscBool fixed = PETSC_FALSE;
  check(TSGetAdapt(ts_.get(), &adapt));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(adapt), TSADAPTNONE, &fixed));
  return fixed == PETSC_TRUE;
}

bool Flow::can_evaluate(Vec theta) {
  try {
    require_finite(theta, "a trial point of the integrator (flow_)");
    evaluate(theta);
    return true;
  } catch (const Error& error) {
    if (!is_failed_evaluation(error) || has_fixed_steps()) throw;
    TSAdapt adapt = nullptr;
    PetscReal step_size = 0.0, factor = 0.0;
    check(TSGetAdapt(ts_.get(), &adapt));
    check(TSGetTimeStep(ts_.get(), &step_size));
    check(TSAdaptGetScaleSolveFailed(adapt, &factor));
    warn_of_repeated_step(theta, state_->step + 1, step_size * factor, error);
    failure_ = error;
    return false;
  }
}

/// TS takes a rejected step back by subtracting it: of a far trial that leaves rounding in place of θ.
void Flow::before_stage() {
  PetscInt rejected = 0;
  check(TSGetStepRejections(ts_.get(), &rejected));
  if (rejected == rejected_) return;
  rejected_ = rejected;
  Vec theta = nullptr;
  check(TSGetSolution(ts_.get(), &theta));
  check(VecCopy(start_.get(), theta));
}

void Flow::right_hand_side(Vec theta, Vec derivative) {
  evaluate(theta);
  check(VecCopy(known_gradient_.get(), derivative));
  check(VecScale(derivative, -1.0));
}

double Flow::local_error(Vec theta) {
  TSType type = nullptr;
  check(TSGetType(ts_.get(), &type));
  constexpr double unknown = std::numeric_limits<double>::infinity();
  if (std::string_view(type) != TSRK) return unknown;
  TSRKType rk = nullptr;
  PetscInt order = 0;
  PetscBool available = PETSC_FALSE;
  check(TSRKGetType(ts_.get(), &rk));
  check(TSRKGetOrder(ts_.get(), &order));
  check(TSEvaluateStep(ts_.get(), order - 1, embedded_.get(), &available));
  if (!available) return unknown;
  check(VecAXPY(embedded_.get(), -1.0, theta));
  double norm = 0.0;
  check(VecNorm(embedded_.get(), NORM_2, &norm));
  return norm;
}

void Flow::after_step() {
  TS ts = ts_.get();
  Vec theta = nullptr;
  PetscInt step = 0;
  TSConvergedReason reason = TS_CONVERGED_ITERATING;
  check(TSGetConvergedReason(ts, &reason));
  if (reason < 0) return;  // TSSolve calls this after a failed step, too
  check(TSGetSolution(ts, &theta));
  state_->local_error_sum += local_error(theta);
  check(TSGetTime(ts, &state_->t));
  check(TSGetStepNumber(ts, &step));
  check(TSGetTimeStep(ts, &state_->next_step_size));
  // The last step was cut to end there; where nothing adapts the size, a run made longer would keep that.
  if (state_->t >= end_time_ && has_fixed_steps()) state_->next_step_size = first_step_size_;
  state_->step = step;
  failure_.reset();
  check(TSRestartStep(ts));
  evaluate(theta);
  check(VecCopy(theta, start_.get()));
  if (!(*observer_)(*state_, theta, known_gradient_.get(), known_)) {
    stopped_ = true;
    check(TSSetConvergedReason(ts, TS_CONVERGED_USER));
  }
}

StopReason Flow::run(Vec theta, DynamicsState& state, const Observer& observer) {
  TS ts = ts_.get();
  state_ = &state;
  observer_ = &observer;
  stopped_ = false;
  failure_.reset();
  if (!state.shown) {
    evaluate(theta);
    state.shown = true;
    if (!observer(state, theta, known_gradient_.get(), known_)) return StopReason::stopped_by_observer;
  }
  if (state.t >= end_time_) return StopReason::reached_time;
  if (state.step >= max_steps_) return StopReason::reached_steps;
  const Index gradients = state.gradients;
  evaluate(theta);
  state.gradients = gradients;  // of a resumed run: it was counted before
  check(TSSetSolution(ts, theta));
  check(VecCopy(theta, start_.get()));
  check(TSSetTime(ts, state.t));
  check(TSSetStepNumber(ts, static_cast<PetscInt>(state.step)));
  if (state.next_step_size > 0.0) check(TSSetTimeStep(ts, state.next_step_size));
  check(TSSetMaxTime(ts, end_time_));
  check(TSSetMaxSteps(ts, static_cast<PetscInt>(std::min<Index>(max_steps_, PETSC_MAX_INT))));
  check(TSSolve(ts, theta));
  if (stopped_) return StopReason::stopped_by_observer;
  TSConvergedReason reason = TS_CONVERGED_ITERATING;
  check(TSGetConvergedReason(ts, &reason));
  if (reason < 0) check(VecCopy(start_.get(), theta));
  if (reason < 0 && failure_) throw Error(*failure_);
  if (reason < 0)
    throw Error(ExitCode::failed,
                "the integrator (flow_) failed at t = " + to_text(state.t) + " after " +
                    std::to_string(state.step) + " steps: " + TSConvergedReasons[reason] +
                    "; loosen -flow_ts_rtol and -flow_ts_atol",
                true);
  return reason == TS_CONVERGED_ITS ? StopReason::reached_steps : StopReason::reached_time;
}

}  // namespace poise
