#include "poise/solve/panel_snes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace solve {
namespace {

/// Default of the absolute tolerance: an equilibrium of relu may be 0, to which no tolerance is relative.
constexpr double smallest_state = 1e-30;

SnesHandle create_snes(MPI_Comm comm, const PanelSnes::Defaults& defaults) {
  register_solver_types();
  SnesHandle snes;
  check(SNESCreate(comm, snes.out()));
  check(SNESSetOptionsPrefix(snes.get(), defaults.prefix.c_str()));
  check(SNESSetType(snes.get(), defaults.type.c_str()));
  if (SampleIteration* own = sample_iteration(snes.get())) {
    own->patient = defaults.patient;
    own->mixing = defaults.mixing;
  }
  if (defaults.type == SNESNEWTONLS) {
    SNESLineSearch search = nullptr;
    check(SNESGetLineSearch(snes.get(), &search));
    check(SNESLineSearchSetType(search, defaults.search ? SNESLINESEARCHBT : whole_steps));
    if (!defaults.search) check(SNESLineSearchSetComputeNorms(search, PETSC_FALSE));
  }
  check(SNESSetTolerances(snes.get(), smallest_state, defaults.rtol, petsc_unchanged, defaults.max_iterations,
                          largest_petsc_int));
  KSP ksp = nullptr;
  check(SNESGetKSP(snes.get(), &ksp));
  check(KSPSetType(ksp, KSPGMRES));
  if (defaults.restart > 0) check(KSPGMRESSetRestart(ksp, defaults.restart));
  // Never relative by default: prepare_linear_solve sets the absolute norm that the convergence test needs.
  check(KSPSetTolerances(ksp, 1e-15, petsc_unchanged, petsc_unchanged, 1000));
  PC pc = nullptr;
  check(KSPGetPC(ksp, &pc));
  check(PCSetType(pc, defaults.preconditioner.c_str()));
  return snes;
}

}  // namespace

PanelSnes::PanelSnes(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean, Index columns,
                     const Defaults& defaults)
    : comm_(comm),
      map_(map),
      columns_(columns),
      size_(map.local_states() * columns),
      operator_(comm, map, std::move(mean), columns, false),
      z_(create_vec(comm, size_)),
      residual_(duplicate(z_.get())),
      snes_(create_snes(comm, defaults)),
      h_(static_cast<std::size_t>(size_)),
      residual_norms_(static_cast<std::size_t>(columns)),
      h_norms_(static_cast<std::size_t>(columns)) {
  // Columns beyond the p columns of a solve have the equation z = 0.
  jacobian_ = std::make_unique<ShellOperator>(comm, size_, [this](const double* v, double* out) {
    operator_.apply(v, out);
    const Index used = map_.local_states() * p_;
    std::copy(v + used, v + size_, out + used);
  });
  operator_.attach_to(jacobian_->get());
  set_callbacks();
  set_from_options(snes_.get(), ReservedTypes::allowed);
  type_ = type_of(snes_.get());
  require_suited(snes_.get(), map);
  if (!is_own_snes(type_)) slopes_.resize(static_cast<std::size_t>(map.slope_rows() * columns));
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  precondition_on_the_right(ksp);
  PetscInt max_iterations = 0;
  check(SNESGetTolerances(snes_.get(), &atol_, &rtol_, nullptr, &max_iterations, nullptr));
  max_iterations_ = max_iterations;
}

void PanelSnes::set_callbacks() {
  check(SNESSetFunction(snes_.get(), residual_.get(), residual_callback, this));
  check(SNESSetJacobian(
      snes_.get(), jacobian_->get(), jacobian_->get(),
      +[](SNES snes, Vec z, Mat, Mat, void* context) -> PetscErrorCode {
        return guarded([&] {
          auto* self = static_cast<PanelSnes*>(context);
          if (self->is_outermost(snes))
            self->prepare_linear_solve(z);
          else
            self->linearise(z);
        });
      },
      this));
  check(SNESSetConvergenceTest(
      snes_.get(),
      +[](SNES, PetscInt iteration, PetscReal, PetscReal, PetscReal, SNESConvergedReason* reason,
          void* self) -> PetscErrorCode {
        return guarded([&] { *reason = static_cast<PanelSnes*>(self)->test_convergence(iteration); });
      },
      this, nullptr));
}

PanelSnes& PanelSnes::of(SNES snes) {
  PetscErrorCode (*function)(SNES, Vec, Vec, void*) = nullptr;
  void* context = nullptr;
  check(SNESGetFunction(snes, nullptr, &function, &context));
  if (function == residual_callback) return *static_cast<PanelSnes*>(context);
  throw Error(ExitCode::bad_input,
              type_option(snes) +
                  " is for the equilibria of Poise (-eq_snes_type) only; choose one of PETSc's types here",
              true);
}

void PanelSnes::compute_residual(Vec z, Vec residual) {
  ++products_;
  const ReadArray in(z);
  WriteArray out(residual);
  const Index used = map_.local_states() * p_;
  map_.apply(p_, in.data(), injection_, h_.data());
  for (Index i = 0; i < used; ++i) out[i] = in[i] - h_[i];
  std::copy(in.data() + used, in.data() + size_, out.data() + used);
}

PetscErrorCode PanelSnes::residual_callback(SNES, Vec z, Vec f, void* self) {
  return guarded([&] { static_cast<PanelSnes*>(self)->compute_residual(z, f); });
}

double PanelSnes::residual(Index c) const {
  return h_norms_[c] > 0.0 ? residual_norms_[c] / h_norms_[c] : residual_norms_[c];
}

bool PanelSnes::solved(Index c) const {
  return std::isfinite(h_norms_[c]) && residual_norms_[c] <= rtol_ * h_norms_[c] + atol_;
}

PanelSnes::Worst PanelSnes::judge(const double* z, const double* difference, double rtol, double atol) {
  for (Index i = 0; i < map_.local_states() * p_; ++i) h_[i] = z[i] - difference[i];
  return judge_image(difference, rtol, atol);
}

PanelSnes::Worst PanelSnes::judge_image(const double* difference, double rtol, double atol) {
  const Index rows = map_.local_states();
  column_norms(comm_, rows, p_, difference, residual_norms_.data());
  column_norms(comm_, rows, p_, h_.data(), h_norms_.data());
  Worst worst;
  worst.tolerance = std::numeric_limits<double>::infinity();
  for (Index c = 0; c < p_; ++c) {
    const double tolerance = rtol * h_norms_[c] + atol;
    const double ratio = residual_norms_[c] == 0.0  ? 0.0
                         : std::isfinite(tolerance) ? residual_norms_[c] / tolerance
                                                    : std::numeric_limits<double>::quiet_NaN();
    worst.frobenius += residual_norms_[c] * residual_norms_[c];
    if (ratio > 1.0) worst.tolerance = std::min(worst.tolerance, tolerance);
    if (std::isnan(worst.ratio) || ratio <= worst.ratio) continue;  // a NaN stays the worst
    worst.ratio = ratio;
    worst.residual = residual(c);
    worst.column = c;
  }
  worst.frobenius = std::sqrt(worst.frobenius);
  return worst_ = worst;
}

void PanelSnes::prepare_linear_solve(Vec z) {
  Vec f = nullptr;
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const ReadArray state(z);
  const ReadArray residual(f);
  const Worst worst = judge(state.data(), residual.data(), rtol_, atol_);
  map_.linearise(p_, state.data(), h_.data(), slopes_.data());
  operator_.linearise(p_, slopes_.data());
  // KSP controls the norm over the whole panel, which bounds every column. Half: ‖h‖ may shrink on the way.
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  PetscReal rtol = 0.0;
  PetscReal divergence = 0.0;
  PetscInt max_iterations = 0;
  check(KSPGetTolerances(ksp, &rtol, nullptr, &divergence, &max_iterations));
  const double target = std::isfinite(worst.tolerance) ? 0.5 * worst.tolerance : petsc_unchanged;
  check(KSPSetTolerances(ksp, rtol, target, divergence, max_iterations));
}

// For a solver inside this one (composite, npc), which has its own residual and tolerances.
void PanelSnes::linearise(Vec z) {
  ++products_;
  const ReadArray state(z);
  map_.apply(p_, state.data(), injection_, h_.data());
  slopes_.resize(static_cast<std::size_t>(map_.slope_rows() * columns_));
  map_.linearise(p_, state.data(), h_.data(), slopes_.data());
  operator_.linearise(p_, slopes_.data());
}

SNESConvergedReason PanelSnes::test_convergence(Index iteration) {
  Vec z = nullptr;
  Vec f = nullptr;
  check(SNESGetSolution(snes_.get(), &z));
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const ReadArray state(z);
  const ReadArray residual(f);
  const Worst worst = judge(state.data(), residual.data(), rtol_, atol_);
  if (std::isnan(worst.ratio)) return function_not_finite;
  if (worst.ratio <= 1.0) return SNES_CONVERGED_FNORM_RELATIVE;
  return iteration >= max_iterations_ ? SNES_DIVERGED_MAX_IT : SNES_CONVERGED_ITERATING;
}

Outcome PanelSnes::run(Index before) {
  check(SNESSolve(snes_.get(), nullptr, z_.get()));
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscInt iterations = 0;
  PetscInt linear_iterations = 0;
  const char* text = nullptr;
  check(SNESGetLinearSolveIterations(snes_.get(), &linear_iterations));
  check(SNESGetConvergedReason(snes_.get(), &reason));
  check(SNESGetConvergedReasonString(snes_.get(), &text));
  check(SNESGetIterationNumber(snes_.get(), &iterations));
  Vec f = nullptr;
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const SampleIteration* own = sample_iteration(snes_.get());
  if (own == nullptr) {  // Poise's own types have already judged their solution
    // Not every type of PETSc ends with F at its solution, so F is computed here.
    if (type_ != SNESNEWTONLS) compute_residual(z_.get(), f);
    (void)judge(ReadArray(z_.get()).data(), ReadArray(f).data(), rtol_, atol_);
  }
  return {.solve = "equilibrium",
          .reason = own == nullptr || own->failure.empty() ? text : own->failure + " (" + text + ")",
          .converged = reason > 0 && worst_.ratio <= 1.0,
          .iterations = std::max(iterations, linear_iterations),
          .products = products_ + operator_.products() - before,
          .residual = worst_.residual,
          .worst_sample = worst_.column};
}

Outcome PanelSnes::solve(Index p, const double* injection, double* z, Memory memory) {
  const Index before = products_ + operator_.products();
  const Index used = map_.local_states() * p;
  const bool by_states = memory.block != nullptr && type_ != snes_mean_field;
  p_ = p;
  injection_ = injection;
  memory_ = memory;
  if (by_states && memory.warm) std::copy_n(memory.block, used, z);
  Outcome outcome;
  if (p == columns_) {
    const PlacedArray in_place(z_.get(), z);
    outcome = run(before);
  } else {
    {
      WriteArray start(z_.get());
      std::copy_n(z, used, start.data());
      std::fill(start.data() + used, start.data() + size_, 0.0);
    }
    outcome = run(before);
    std::copy_n(ReadArray(z_.get()).data(), used, z);
  }
  if (by_states) std::copy_n(z, used, memory.block);
  return outcome;
}

}  // namespace solve
}  // namespace poise
