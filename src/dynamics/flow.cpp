#include "poise/dynamics/flow.hpp"

#include <petsc/private/tsimpl.h>  // TSAdapt's ops: no public call changes the step size it proposes

#include <cmath>
#include <string_view>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
namespace {

constexpr double default_tolerance = 1e-8;
constexpr double default_first_step = 1e-3;

/// Binary digits of an adaptive step size. The error estimate is a small difference, so the step size that
/// follows from it carries the rounding of the gradient times 1/tolerance: 1e-10 of itself on another number
/// of ranks, and the history would be at other times. Rounded (down, by 0.8 % at most), it is the same one.
constexpr int step_size_digits = 8;
constexpr const char* wrapped_choice = "poise_wrapped_choice";

double rounded_down(double step_size) {
  int exponent = 0;
  const double fraction = std::frexp(step_size, &exponent);
  return std::ldexp(std::floor(std::ldexp(fraction, step_size_digits)), exponent - step_size_digits);
}

PetscErrorCode choose_rounded(TSAdapt adapt, TS ts, PetscReal step_size, PetscInt* scheme, PetscReal* next,
                              PetscBool* accept, PetscReal* error, PetscReal* absolute, PetscReal* relative) {
  decltype(adapt->ops->choose) choose = nullptr;
  PetscFunctionBegin;
  PetscCall(PetscObjectQueryFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, &choose));
  PetscCall((*choose)(adapt, ts, step_size, scheme, next, accept, error, absolute, relative));
  // What the user has chosen stays: a fixed step, and the limits of an adaptive one.
  const bool chosen = *next == step_size || *next == adapt->dt_min || *next == adapt->dt_max;
  if (!chosen) *next = rounded_down(*next);
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

/// Wraps the step size controller that the options have chosen.
void round_step_sizes(TS ts) {
  TSAdapt adapt = nullptr;
  check(TSGetAdapt(ts, &adapt));
  check(PetscObjectComposeFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, adapt->ops->choose));
  adapt->ops->choose = choose_rounded;
}

}  // namespace

Flow::Flow(Objective& objective, Vec theta_like, double end_time, Index max_steps)
    : objective_(objective),
      end_time_(end_time),
      max_steps_(max_steps),
      known_theta_(duplicate(theta_like)),
      known_gradient_(duplicate(theta_like)),
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
  check(TSSetPostStep(
      ts, +[](TS stepped) -> PetscErrorCode {
        return guarded([&] {
          void* self = nullptr;
          check(TSGetApplicationContext(stepped, &self));
          static_cast<Flow*>(self)->after_step();
        });
      }));
  check(TSSetFromOptions(ts));
  round_step_sizes(ts);
}

void Flow::evaluate(Vec theta) {
  if (is_known_) {
    PetscBool same = PETSC_FALSE;
    check(VecEqual(theta, known_theta_.get(), &same));
    if (same) return;
  }
  is_known_ = false;
  known_ = objective_.value_and_gradient(theta, known_gradient_.get());
  ++state_->gradients;
  require_finite(known_gradient_.get(), "the gradient");
  check(VecCopy(theta, known_theta_.get()));
  is_known_ = true;
}

void Flow::right_hand_side(Vec theta, Vec derivative) {
  evaluate(theta);
  check(VecCopy(known_gradient_.get(), derivative));
  check(VecScale(derivative, -1.0));
}

double Flow::local_error(Vec theta) {
  TSType type = nullptr;
  check(TSGetType(ts_.get(), &type));
  if (std::string_view(type) != TSRK) return 0.0;
  TSRKType rk = nullptr;
  PetscInt order = 0;
  PetscBool available = PETSC_FALSE;
  check(TSRKGetType(ts_.get(), &rk));
  check(TSRKGetOrder(ts_.get(), &order));
  check(TSEvaluateStep(ts_.get(), order - 1, embedded_.get(), &available));
  if (!available) return 0.0;
  check(VecAXPY(embedded_.get(), -1.0, theta));
  double norm = 0.0;
  check(VecNorm(embedded_.get(), NORM_2, &norm));
  return norm;
}

void Flow::after_step() {
  TS ts = ts_.get();
  Vec theta = nullptr;
  PetscInt step = 0;
  check(TSGetSolution(ts, &theta));
  state_->local_error_sum += local_error(theta);
  check(TSGetTime(ts, &state_->t));
  check(TSGetStepNumber(ts, &step));
  check(TSGetTimeStep(ts, &state_->next_step_size));
  state_->step = step;
  check(TSRestartStep(ts));
  evaluate(theta);
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
  if (!state.shown) {
    evaluate(theta);
    state.shown = true;
    if (!observer(state, theta, known_gradient_.get(), known_)) return StopReason::stopped_by_observer;
  }
  if (state.t >= end_time_) return StopReason::reached_time;
  if (state.step >= max_steps_) return StopReason::reached_steps;
  check(TSSetSolution(ts, theta));
  check(TSSetTime(ts, state.t));
  check(TSSetStepNumber(ts, static_cast<PetscInt>(state.step)));
  if (state.next_step_size > 0.0) check(TSSetTimeStep(ts, state.next_step_size));
  check(TSSetMaxTime(ts, end_time_));
  check(TSSetMaxSteps(ts, static_cast<PetscInt>(std::min<Index>(max_steps_, PETSC_MAX_INT))));
  check(TSSolve(ts, theta));
  if (stopped_) return StopReason::stopped_by_observer;
  TSConvergedReason reason = TS_CONVERGED_ITERATING;
  check(TSGetConvergedReason(ts, &reason));
  if (reason < 0)
    throw Error(ExitCode::failed,
                "the integrator (flow_) failed at t = " + to_text(state.t) + " after " +
                    std::to_string(state.step) + " steps: " + TSConvergedReasons[reason] +
                    "; loosen -flow_ts_rtol and -flow_ts_atol",
                true);
  return reason == TS_CONVERGED_ITS ? StopReason::reached_steps : StopReason::reached_time;
}

}  // namespace poise
