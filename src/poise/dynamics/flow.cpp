#include "poise/dynamics/flow.hpp"

#include <fmt/format.h>
#include <petsc/private/tsimpl.h>  // TSAdapt's ops: no public call changes the step size it proposes
#include <petscts.h>

#include <cmath>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/solver_options.hpp"

namespace poise {
inline namespace dynamics {
namespace {

/// Binary digits of an adaptive step size. The error estimate is a small difference, so that the step size
/// computed from it carries the rounding of the gradient times 1/tolerance. On a different number of ranks it
/// would differ by a share of 1e-10, and the history would be at different times. Rounded (down, by at most
/// 0.8 %), it is the same on any number of ranks.
constexpr int step_size_digits = 8;
constexpr const char* wrapped_choice = "poise_wrapped_choice";

/// A step size with few binary digits, so that it does not depend on the rounding of the unrounded step size.
double rounded_down(double step_size) {
  int exponent = 0;
  const double fraction = std::frexp(step_size, &exponent);
  return std::ldexp(std::floor(std::ldexp(fraction, step_size_digits)), exponent - step_size_digits);
}

/// Whether the controller can measure the error of a step that ends here. The controller's norms, one of them
/// relative to the absolute tolerance, end the program if they overflow.
PetscErrorCode has_error_norm(TS ts, Vec end, bool& has) {
  constexpr double larger = 1e3;  // the error may be this many times as large as the end of the step
  PetscReal norm = 0.0, tolerance = 0.0;
  PetscFunctionBegin;
  PetscCall(VecNorm(end, NORM_2, &norm));
  PetscCall(TSGetTolerances(ts, &tolerance, nullptr, nullptr, nullptr));
  const double relative = larger * norm / (tolerance > 0.0 ? tolerance : 1.0);
  has = std::isfinite(relative * relative);
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

PetscErrorCode choose_rounded(TSAdapt adapt, TS ts, PetscReal step_size, PetscInt* scheme, PetscReal* next,
                              PetscBool* accept, PetscReal* error, PetscReal* absolute, PetscReal* relative) {
  decltype(adapt->ops->choose) choose = nullptr;
  Vec end = nullptr;
  PetscReal time = 0.0, factor = 0.0, least = 0.0, most = 0.0;
  bool possible = false;
  PetscFunctionBegin;
  PetscCall(PetscObjectQueryFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, &choose));
  PetscCall(TSGetSolution(ts, &end));
  PetscCall(has_error_norm(ts, end, possible));
  if (possible) PetscCall((*choose)(adapt, ts, step_size, scheme, next, accept, error, absolute, relative));
  PetscCall(TSGetTime(ts, &time));
  if (possible && *accept) {
    PetscCall(TSFunctionDomainError(ts, time + step_size, end, accept));
    possible = *accept;
  }
  if (!possible) {
    PetscCall(TSAdaptGetScaleSolveFailed(adapt, &factor));
    *accept = PETSC_FALSE;
    *next = step_size * factor;
    PetscFunctionReturn(static_cast<PetscErrorCode>(0));
  }
  // Limits that the user has chosen, and an unchanged step size, are not rounded.
  PetscCall(TSAdaptGetStepLimits(adapt, &least, &most));
  if (*next != step_size && *next != least && *next != most) *next = rounded_down(*next);
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

/// Collective. Wraps the step size controller that the options have chosen for `ts`, unless it keeps the step
/// size (`none`). Step sizes are rounded, so that a run takes the same steps on any number of ranks. A step
/// whose end has no error norm (overflow), or is outside the domain of TSSetFunctionDomainError, is rejected
/// and taken again with `ts_adapt_scale_solve_failed` of its size. TS does the same for a stage outside the
/// domain.
void control_steps(TS ts) {
  TSAdapt adapt = nullptr;
  PetscBool fixed = PETSC_FALSE;
  check(TSGetAdapt(ts, &adapt));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(adapt), TSADAPTNONE, &fixed));
  if (fixed) return;
  check(PetscObjectComposeFunction(reinterpret_cast<PetscObject>(adapt), wrapped_choice, adapt->ops->choose));
  adapt->ops->choose = choose_rounded;
}

constexpr double default_tolerance = 1e-8;
constexpr double default_first_step = 1e-3;

Flow& flow_of(TS ts) {
  void* flow = nullptr;
  check(TSGetApplicationContext(ts, &flow));
  return *static_cast<Flow*>(flow);
}

/// Sets the step size that the integrator tries next; NaN if it has not chosen one yet.
void show_step_size(DynamicsState& state) {
  state.step_size =
      state.next_step_size > 0.0 ? state.next_step_size : std::numeric_limits<double>::quiet_NaN();
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
  // For huge inputs stability may need steps even below PETSc's limit of 1e-20.
  TSAdapt adapt = nullptr;
  check(TSGetAdapt(ts, &adapt));
  check(TSAdaptSetStepLimits(adapt, std::numeric_limits<double>::min(), petsc_unchanged));
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
  set_from_options(ts);
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

/// TS undoes a rejected step by subtracting it. After a far trial only rounding is then left of θ, so that
/// the start is restored here.
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

void Flow::scale_tolerances(const ParameterLayout& layout) {
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, nullptr, "-flow_ts_atol", &given));
  if (given) return;
  layout_ = &layout;
  tolerances_ = duplicate(start_.get());
  check(TSGetTolerances(ts_.get(), &absolute_, nullptr, nullptr, nullptr));
  check(VecSet(tolerances_.get(), absolute_));
  check(TSSetTolerances(ts_.get(), absolute_, tolerances_.get(), petsc_unchanged, nullptr));
}

/// The tolerances depend on θ alone, so that a resumed run takes the steps of an uninterrupted run. A block
/// of zeros has the usual tolerance: its later size is not known.
void Flow::update_tolerances(Vec theta) {
  if (layout_ == nullptr) return;
  constexpr double usual = 1e-2, least = 1e-92;
  std::vector<std::size_t> block_of;  // the block of each column of a stored row of θ
  const auto& blocks = layout_->blocks();
  for (std::size_t b = 0; b < blocks.size(); ++b)
    block_of.insert(block_of.end(), static_cast<std::size_t>(blocks[b].columns), b);
  block_of.insert(block_of.end(), static_cast<std::size_t>(layout_->outputs()), blocks.size());
  std::vector<double> columns(blocks.size() + 1, 0.0), sizes(blocks.size() + 1, 0.0);
  for (const std::size_t b : block_of) columns[b] += 1.0;
  const ReadArray x(theta);
  const std::size_t entries = x.span().size(), row = block_of.size();
  for (std::size_t e = 0; e < entries; ++e) sizes[block_of[e % row]] += x[e] * x[e];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sizes.data(), static_cast<int>(sizes.size()), MPI_DOUBLE, MPI_SUM,
                          layout_->grid().world()));
  for (std::size_t b = 0; b < sizes.size(); ++b) {
    const double size = std::sqrt(sizes[b] / (columns[b] * static_cast<double>(layout_->width())));
    sizes[b] = size > 0.0 ? std::clamp(size / usual, least, 1.0) : 1.0;
  }
  WriteArray tolerance(tolerances_.get());
  for (std::size_t e = 0; e < entries; ++e) tolerance[e] = absolute_ * sizes[block_of[e % row]];
}

void Flow::after_step() {
  TS ts = ts_.get();
  Vec theta = nullptr;
  PetscInt step = 0;
  TSConvergedReason reason = TS_CONVERGED_ITERATING;
  check(TSGetConvergedReason(ts, &reason));
  if (reason < 0) return;  // TSSolve also calls this after a failed step
  check(TSGetSolution(ts, &theta));
  state_->local_error_sum += local_error(theta);
  check(TSGetTime(ts, &state_->t));
  check(TSGetStepNumber(ts, &step));
  check(TSGetTimeStep(ts, &state_->next_step_size));
  // The last step was shortened to end at end_time_. With fixed step sizes a prolonged run would keep the
  // shortened size.
  if (state_->t >= end_time_ && has_fixed_steps()) state_->next_step_size = first_step_size_;
  show_step_size(*state_);
  state_->step = step;
  failure_.reset();
  check(TSRestartStep(ts));
  evaluate(theta);
  require_bounded_loss(*state_, known_);
  check(VecCopy(theta, start_.get()));
  update_tolerances(theta);
  note_loss(*state_, known_);
  warn_if_stiff(theta);
  if (!(*observer_)(*state_, theta, known_gradient_.get(), known_)) {
    stopped_ = true;
    check(TSSetConvergedReason(ts, TS_CONVERGED_USER));
  }
}

/// With a large gradient a first step of the default size would overflow before the controller could measure
/// its error. So the first step changes θ by at most a hundredth. A first step that the user has chosen is
/// not changed.
void Flow::choose_first_step(Vec theta) {
  constexpr double change = 1e-2;
  for (const std::string name : {"ts_dt", ts_step_option}) {
    PetscBool given = PETSC_FALSE;
    check(PetscOptionsHasName(nullptr, "flow_", ("-" + name).c_str(), &given));
    if (given) return;
  }
  if (has_fixed_steps()) return;
  double norm = 0.0, slope = 0.0;
  check(VecNorm(theta, NORM_2, &norm));
  check(VecNorm(known_gradient_.get(), NORM_2, &slope));
  if (slope * first_step_size_ > change * (1.0 + norm))
    check(TSSetTimeStep(ts_.get(), rounded_down(change * (1.0 + norm) / slope)));
}

/// Stability limits the steps of explicit methods, whatever the accuracy. If the steps are tiny compared to
/// the remaining time, the user should know.
void Flow::warn_if_stiff(Vec theta) {
  constexpr Index window = 250, patience = 500;
  constexpr double many_steps = 1e5;
  if (is_stiff_ || state_->step < window_.step + window) return;
  const double pace = (state_->t - window_.t) / static_cast<double>(state_->step - window_.step);
  const double earlier = std::exchange(pace_, pace);
  window_ = {state_->step, state_->t};
  const double left = (end_time_ - state_->t) / pace;
  if (!std::isfinite(left) || left < many_steps || state_->step < patience || pace > 2.0 * earlier) return;
  is_stiff_ = true;
  warn(PetscObjectComm(reinterpret_cast<PetscObject>(theta)),
       fmt::format("the flow is stiff: at t = {:.3g} (step {}) its steps are {:.2g} long, so that t = {} is "
                   "about {:.1g} steps away; bring features and targets to usual sizes (-features whiten, "
                   "-scale_targets true), use -dynamics minimise if only the optimum is wanted, or end "
                   "earlier (-time)",
                   state_->t, state_->step, pace, to_text(end_time_), left));
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
    note_loss(state, known_);
    show_step_size(state);
    if (!observer(state, theta, known_gradient_.get(), known_)) return StopReason::stopped_by_observer;
  }
  if (state.t >= end_time_) return StopReason::reached_time;
  if (state.step >= max_steps_) return StopReason::reached_steps;
  const Index gradients = state.gradients;
  evaluate(theta);
  require_bounded_loss(state, known_);
  state.gradients = gradients;  // a resumed run has counted this gradient before
  check(TSSetSolution(ts, theta));
  check(VecCopy(theta, start_.get()));
  update_tolerances(theta);
  check(TSSetTime(ts, state.t));
  check(TSSetStepNumber(ts, static_cast<PetscInt>(state.step)));
  if (state.next_step_size > 0.0)
    check(TSSetTimeStep(ts, state.next_step_size));
  else
    choose_first_step(theta);
  window_ = {state.step, state.t};
  check(TSSetMaxTime(ts, std::min(end_time_, std::numeric_limits<double>::max())));
  check(TSSetMaxSteps(ts, static_cast<PetscInt>(std::min<Index>(max_steps_, largest_petsc_int))));
  check(TSSolve(ts, theta));
  if (stopped_) return StopReason::stopped_by_observer;
  TSConvergedReason reason = TS_CONVERGED_ITERATING;
  check(TSGetConvergedReason(ts, &reason));
  if (reason < 0) check(VecCopy(start_.get(), theta));
  if (reason < 0 && failure_) throw Error(*failure_);
  if (reason < 0)
    throw Error(
        ExitCode::failed,
        fmt::format("the integrator (flow_) failed at t = {} after {} steps: {}; loosen -flow_ts_rtol "
                    "and -flow_ts_atol",
                    to_text(state.t), state.step, TSConvergedReasons[reason]),
        true);
  return reason == TS_CONVERGED_ITS ? StopReason::reached_steps : StopReason::reached_time;
}

namespace {

class FlowKind final : public DynamicsKind {
 public:
  [[nodiscard]] std::string name() const override { return "flow"; }
  [[nodiscard]] std::string help() const override { return "gradient flow with adaptive time steps"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    auto flow = std::make_unique<Flow>(setup.objective, setup.theta_like, setup.end_time, setup.max_steps);
    flow->scale_tolerances(setup.layout);
    return flow;
  }
  [[nodiscard]] DynamicsSolver solver() const override {
    return {"flow_", "TS", "rk 5f, adaptive, tolerances 1e-8"};
  }
  [[nodiscard]] std::string description(double end_time, Index max_steps, const std::string&) const override {
    constexpr Index no_limit = 1000000;  // the default of -steps, which the text omits
    const bool by_time = std::isfinite(end_time) && max_steps == no_limit;
    return "flow to " + (by_time ? "t = " + to_text(end_time) : end_text(end_time, max_steps));
  }
  [[nodiscard]] bool integrates_flow() const override { return true; }
  [[nodiscard]] std::string beyond_the_flow() const override { return {}; }
  [[nodiscard]] std::string beyond_gradients() const override { return {}; }
  [[nodiscard]] std::string violation_cure() const override {
    return "is the integrator's error estimate right? Reduce -flow_ts_rtol and -flow_ts_atol";
  }
};

}  // namespace

std::shared_ptr<DynamicsKind> flow_kind() {
  return std::make_shared<FlowKind>();
}

}  // namespace dynamics
}  // namespace poise
