#include "poise/dynamics/minimise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/solver_options.hpp"

namespace poise {
inline namespace dynamics {
namespace {

constexpr double default_gradient_norm = 1e-8;
/// ‖∇L‖ relative to its value at the start: the default of -min_tao_gttol, right for losses of any size.
constexpr double default_gradient_ratio = 1e-10;
/// If the last step reduced the loss by less than this share of it, a line search that then finds no smaller
/// loss has met the rounding of the loss.
constexpr double loss_rounding = 1e-12;
constexpr double small_ratio = 1e-5;

MPI_Comm comm_of(Vec vec) {
  MPI_Comm comm = MPI_COMM_NULL;
  check(PetscObjectGetComm(reinterpret_cast<PetscObject>(vec), &comm));
  return comm;
}

Index local_size(Vec vec) {
  PetscInt size = 0;
  check(VecGetLocalSize(vec, &size));
  return size;
}

double norm(Vec vec) {
  double value = 0.0;
  check(VecNorm(vec, NORM_2, &value));
  return value;
}

bool same_entries(Vec a, Vec b) {
  PetscBool same = PETSC_FALSE;
  check(VecEqual(a, b, &same));
  return same == PETSC_TRUE;
}

/// PETSc's default preconditioner needs a matrix with entries, so that there is no preconditioner unless the
/// user chose one. ntl falls back on the quasi-Newton matrix, which it makes only with the preconditioner
/// lmvm (PETSc 3.18), so that ntl must have lmvm.
void choose_preconditioner(Tao tao) {
  KSP ksp = nullptr;
  check(TaoGetKSP(tao, &ksp));
  if (ksp == nullptr) return;  // not a Newton type
  PC pc = nullptr;
  const char* prefix = nullptr;
  PetscBool is_ntl = PETSC_FALSE, chosen = PETSC_FALSE, is_lmvm = PETSC_FALSE;
  check(KSPGetPC(ksp, &pc));
  check(PCGetOptionsPrefix(pc, &prefix));
  check(PetscOptionsHasName(nullptr, prefix, "-pc_type", &chosen));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(tao), TAONTL, &is_ntl));
  if (!chosen) check(PCSetType(pc, is_ntl ? PCLMVM : PCNONE));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(pc), PCLMVM, &is_lmvm));
  if (is_ntl && !is_lmvm)
    throw Error(ExitCode::bad_input,
                fmt::format("option -{}pc_type: the minimiser ntl takes only lmvm", prefix), true);
}

}  // namespace

Minimise::Minimise(Objective& objective, Vec theta_like, Index max_steps)
    : objective_(objective),
      max_steps_(max_steps),
      hessian_(comm_of(theta_like), local_size(theta_like),
               [this](const double* v, double* product) { hessian_product(v, product); }) {
  for (Point* point : {&known_, &accepted_}) {
    point->theta = duplicate(theta_like);
    point->gradient = duplicate(theta_like);
  }
  check(TaoCreate(comm_of(theta_like), tao_.out()));
  Tao tao = tao_.get();
  check(TaoSetOptionsPrefix(tao, "min_"));
  check(TaoSetType(tao, TAOLMVM));
  check(TaoSetTolerances(tao, default_gradient_norm, 0.0, default_gradient_ratio));
  check(TaoSetMaximumFunctionEvaluations(
      tao, largest_petsc_int));  // without this some types have limits of their own
  set_from_options(tao);
  choose_preconditioner(tao);
  register_callbacks();  // after the options, which can cancel monitors
}

void Minimise::register_callbacks() {
  Tao tao = tao_.get();
  check(TaoSetObjectiveAndGradient(
      tao, nullptr,
      +[](Tao, Vec theta, PetscReal* loss, Vec gradient, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<Minimise*>(self)->objective(theta, *loss, gradient); });
      },
      this));
  check(TaoSetHessian(
      tao, hessian_.get(), hessian_.get(),
      +[](Tao, Vec theta, Mat, Mat, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<Minimise*>(self)->linearise(theta); });
      },
      this));
  check(set_tao_monitor(
      tao,
      +[](Tao, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<Minimise*>(self)->after_iteration(); });
      },
      this));
}

void Minimise::evaluate(Vec theta) {
  if (known_.is_set && same_entries(theta, known_.theta.get())) return;
  known_.is_set = false;
  ++state_->gradients;
  known_.evaluation = objective_.value_and_gradient(theta, known_.gradient.get());
  require_finite_loss(known_.evaluation.train.loss);
  require_finite(known_.gradient.get(), "the gradient");
  check(VecCopy(theta, known_.theta.get()));
  known_.is_set = true;
}

void Minimise::objective(Vec theta, double& loss, Vec gradient) {
  try {
    evaluate(theta);
    loss = known_.evaluation.train.loss + known_.evaluation.penalty;
    check(VecCopy(known_.gradient.get(), gradient));
  } catch (const Error& error) {
    if (!accepted_.is_set || !is_failed_evaluation(error)) throw;
    last_failure_ = error.what();
    too_high(theta, loss, gradient);
  }
}

/// Moré-Thuente does not recover from an infinite loss. So the trial point gets values of a parabola along
/// the step s from the accepted point, with the right slope ∇L·s there and the minimum at s/4: at s the value
/// is L + |∇L·s| and the slope 3|∇L·s|. The value is above L, so that no method accepts it.
void Minimise::too_high(Vec theta, double& loss, Vec gradient) {
  Vec step = known_.theta.get();  // free to use: no evaluation is known now
  double slope = 0.0;
  check(VecWAXPY(step, -1.0, accepted_.theta.get(), theta));
  check(VecDot(accepted_.gradient.get(), step, &slope));
  loss = accepted_.evaluation.train.loss + accepted_.evaluation.penalty + std::abs(slope);
  check(VecCopy(accepted_.gradient.get(), gradient));
  check(VecScale(gradient, -3.0));
}

void Minimise::linearise(Vec theta) {
  if (!base_) {  // only the Newton types come here
    for (VecHandle* vec : {&base_, &base_gradient_, &shifted_}) *vec = duplicate(theta);
    check(VecDuplicate(theta, direction_.out()));
  }
  evaluate(theta);
  check(VecCopy(theta, base_.get()));
  check(VecCopy(known_.gradient.get(), base_gradient_.get()));
  base_norm_ = norm(theta);
}

void Minimise::hessian_product(const double* v, double* product) {
  const Index size = local_size(base_.get());
  {
    WriteArray direction(direction_.get());
    std::copy_n(v, size, direction.data());
  }
  const double length = norm(direction_.get());
  if (length == 0.0) {
    std::fill_n(product, size, 0.0);
    return;
  }
  const double difference = std::sqrt(std::numeric_limits<double>::epsilon() * (1.0 + base_norm_)) / length;
  check(VecWAXPY(shifted_.get(), difference, direction_.get(), base_.get()));
  evaluate(shifted_.get());
  const ReadArray ahead(known_.gradient.get()), here(base_gradient_.get());
  for (std::size_t i = 0; i < here.span().size(); ++i) product[i] = (ahead[i] - here[i]) / difference;
}

void Minimise::after_iteration() {
  Tao tao = tao_.get();
  Vec theta = nullptr;
  PetscInt iterations = 0;
  TaoConvergedReason reason = TAO_CONTINUE_ITERATING;
  check(TaoGetSolution(tao, &theta));
  check(TaoGetIterationNumber(tao, &iterations));
  check(TaoGetConvergedReason(tao, &reason));
  // After a failed search TAO shows the previous point once more.
  if (reason < 0 || (accepted_.is_set && same_entries(theta, accepted_.theta.get()))) return;
  evaluate(theta);
  const double loss = known_.evaluation.train.loss + known_.evaluation.penalty;
  if (accepted_.is_set)
    last_decrease_ = accepted_.evaluation.train.loss + accepted_.evaluation.penalty - loss;
  else
    first_gradient_ = norm(known_.gradient.get());
  check(VecCopy(theta, accepted_.theta.get()));
  check(VecCopy(known_.gradient.get(), accepted_.gradient.get()));
  accepted_.evaluation = known_.evaluation;
  accepted_.is_set = true;
  if (iterations == 0) return;  // `run` has shown the start
  state_->step = first_step_ + iterations;
  state_->t = static_cast<double>(state_->step);
  if (!(*observer_)(*state_, theta, accepted_.gradient.get(), accepted_.evaluation)) {
    stopped_ = true;
    check(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
  }
}

StopReason Minimise::run(Vec theta, DynamicsState& state, const Observer& observer) {
  Tao tao = tao_.get();
  state_ = &state;
  observer_ = &observer;
  first_step_ = state.step;
  stopped_ = accepted_.is_set = known_.is_set = false;
  last_decrease_ = -1.0;
  last_failure_.clear();
  if (!state.shown) {
    evaluate(theta);
    state.shown = true;
    if (!observer(state, theta, known_.gradient.get(), known_.evaluation))
      return StopReason::stopped_by_observer;
  }
  if (state.step >= max_steps_) return StopReason::reached_steps;
  check(TaoSetMaximumIterations(
      tao, static_cast<PetscInt>(std::min<Index>(max_steps_ - state.step, largest_petsc_int))));
  check(TaoSetSolution(tao, theta));
  check(TaoSolve(tao));
  return finish();
}

/// The line search compares losses. If losses agree to rounding the search fails, although nothing is wrong.
bool Minimise::is_at_rounding() const {
  const double ratio = norm(accepted_.gradient.get()) / first_gradient_;
  if (ratio <= default_gradient_ratio) return true;
  const double loss = accepted_.evaluation.train.loss + accepted_.evaluation.penalty;
  return ratio <= small_ratio && last_decrease_ >= 0.0 && last_decrease_ <= loss_rounding * std::abs(loss);
}

StopReason Minimise::finish() {
  if (stopped_) return StopReason::stopped_by_observer;
  TaoConvergedReason reason = TAO_CONTINUE_ITERATING;
  check(TaoGetConvergedReason(tao_.get(), &reason));
  if (reason > 0) return StopReason::converged;
  if (reason == TAO_DIVERGED_MAXITS) return StopReason::reached_steps;
  if (reason == TAO_DIVERGED_LS_FAILURE && is_at_rounding()) return StopReason::converged_to_rounding;
  const std::string name = TaoConvergedReasons[reason];
  const std::string cure = reason == TAO_DIVERGED_MAXFCN ? "raise -min_tao_max_funcs"
                           : last_failure_.empty()
                               ? "if the loss has reached its rounding, loosen -min_tao_gatol; if not, try a "
                                 "different -min_tao_type"
                               : "message of the last failed evaluation: " + last_failure_;
  throw Error(ExitCode::failed,
              fmt::format("the minimiser (min_) failed after {} steps with {}, at a gradient of norm {}; {}",
                          state_->step, name, to_text(norm(accepted_.gradient.get())), cure),
              true);
}

namespace {

class MinimiseKind final : public DynamicsKind {
 public:
  [[nodiscard]] std::string name() const override { return "minimise"; }
  [[nodiscard]] std::string help() const override { return "TAO's minimisers (min_)"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    return std::make_unique<Minimise>(setup.objective, setup.theta_like, setup.max_steps);
  }
  [[nodiscard]] DynamicsSolver solver() const override {
    return {"min_", "TAO", "lmvm, gradient's norm to 1e-8"};
  }
  [[nodiscard]] std::string description(double end_time, Index max_steps, const std::string&) const override {
    return "minimise, to a minimum or " + end_text(end_time, max_steps);
  }
  [[nodiscard]] bool ends_at_time() const override { return false; }
  /// A line search compares the decrease of the loss with the decrease that the gradient predicts.
  [[nodiscard]] bool takes_inexact_gradients() const override { return false; }
  [[nodiscard]] std::string why_not_repeatable() const override {
    return "-dynamics minimise: TAO's minimisers have a state that checkpoints do not hold";
  }
  [[nodiscard]] std::string beyond_gradients() const override {
    return "the steps of -dynamics minimise are not along gradients";
  }
};

}  // namespace

std::shared_ptr<DynamicsKind> minimise_kind() {
  return std::make_shared<MinimiseKind>();
}

}  // namespace dynamics
}  // namespace poise
