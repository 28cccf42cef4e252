#include "poise/solve/panel_snes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "poise/base/check.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/solve/column_norms.hpp"

namespace poise {
namespace {

/// Default of the absolute tolerance: an equilibrium of relu may be 0, to which no tolerance is relative.
constexpr double smallest_state = 1e-30;

SnesHandle create_snes(MPI_Comm comm, const PanelSnes::Defaults& defaults) {
  register_solver_types();
  SnesHandle snes;
  check(SNESCreate(comm, snes.out()));
  check(SNESSetOptionsPrefix(snes.get(), defaults.prefix.c_str()));
  check(SNESSetType(snes.get(), defaults.type.c_str()));
  if (defaults.type == SNESNEWTONLS) {
    SNESLineSearch search = nullptr;
    check(SNESGetLineSearch(snes.get(), &search));
    check(SNESLineSearchSetType(search, defaults.search ? SNESLINESEARCHBT : SNESLINESEARCHBASIC));
    if (!defaults.search) check(SNESLineSearchSetComputeNorms(search, PETSC_FALSE));
  }
  check(SNESSetTolerances(snes.get(), smallest_state, defaults.rtol, PETSC_DEFAULT, 1000, PETSC_MAX_INT));
  KSP ksp = nullptr;
  check(SNESGetKSP(snes.get(), &ksp));
  check(KSPSetType(ksp, KSPGMRES));
  if (defaults.restart > 0) check(KSPGMRESSetRestart(ksp, defaults.restart));
  // Never relative by default: prepare_linear_solve sets the absolute norm that the convergence test needs.
  check(KSPSetTolerances(ksp, 1e-15, PETSC_DEFAULT, PETSC_DEFAULT, 1000));
  PC pc = nullptr;
  check(KSPGetPC(ksp, &pc));
  check(PCSetType(pc, defaults.preconditioner.c_str()));
  return snes;
}

LinearMap identity_minus(Index size, LinearMap map) {
  return [size, map = std::move(map)](const double* v, double* out) {
    map(v, out);
    for (Index i = 0; i < size; ++i) out[i] = v[i] - out[i];
  };
}

}  // namespace

PanelSnes::PanelSnes(MPI_Comm comm, const EquilibriumMap& map, const MeanField* mean, Index columns,
                     const Defaults& defaults)
    : comm_(comm),
      map_(map),
      columns_(columns),
      size_(map.local_states() * columns),
      z_(create_vec(comm, size_)),
      residual_(duplicate(z_.get())),
      snes_(create_snes(comm, defaults)),
      padded_injection_(static_cast<std::size_t>(size_)),
      slopes_(static_cast<std::size_t>(map.slope_rows() * columns)),
      h_(static_cast<std::size_t>(size_)),
      residual_norms_(static_cast<std::size_t>(columns)),
      h_norms_(static_cast<std::size_t>(columns)) {
  if (const auto form = map.pointwise_form()) {
    const bool linear = map.linear();
    preconditioner_ = {mean, &form->weights, [this, linear] { return linear ? nullptr : slopes_.data(); },
                       false, columns};
  }
  jacobian_ = std::make_unique<ShellOperator>(comm, size_,
                                              identity_minus(size_, [this](const double* v, double* out) {
                                                ++applications_;
                                                map_.jacobian(columns_, slopes_.data(), v, out);
                                              }));
  attach_preconditioner(jacobian_->get(), preconditioner_);
  check(SNESSetFunction(
      snes_.get(), residual_.get(),
      +[](SNES, Vec z, Vec f, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<PanelSnes*>(self)->compute_residual(z, f); });
      },
      this));
  check(SNESSetJacobian(
      snes_.get(), jacobian_->get(), jacobian_->get(),
      +[](SNES snes, Vec z, Mat, Mat, void* context) -> PetscErrorCode {
        return guarded([&] {
          auto* self = static_cast<PanelSnes*>(context);
          if (snes == self->snes_.get())
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
  set_from_options(snes_.get());
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  precondition_on_the_right(ksp);
  PetscInt max_iterations = 0;
  check(SNESGetTolerances(snes_.get(), &atol_, &rtol_, nullptr, &max_iterations, nullptr));
  max_iterations_ = max_iterations;
}

void PanelSnes::compute_residual(Vec z, Vec residual) {
  ++applications_;
  const ReadArray in(z);
  WriteArray out(residual);
  map_.apply(columns_, in.data(), injection_, out.data());
  for (Index i = 0; i < size_; ++i) out[i] = in[i] - out[i];
}

PanelSnes::Worst PanelSnes::worst_column(const double* z, const double* residual) {
  for (Index i = 0; i < size_; ++i) h_[i] = z[i] - residual[i];
  column_norms(comm_, map_.local_states(), columns_, residual, residual_norms_.data());
  column_norms(comm_, map_.local_states(), columns_, h_.data(), h_norms_.data());
  Worst worst;
  worst.tolerance = std::numeric_limits<double>::infinity();
  for (Index c = 0; c < columns_; ++c) {
    const double tolerance = rtol_ * h_norms_[c] + atol_;
    const double ratio = residual_norms_[c] == 0.0 ? 0.0 : residual_norms_[c] / tolerance;
    if (ratio > 1.0) worst.tolerance = std::min(worst.tolerance, tolerance);
    if (!std::isnan(worst.ratio) && !(ratio <= worst.ratio))  // a NaN wins and stays
      worst = {ratio, h_norms_[c] > 0.0 ? residual_norms_[c] / h_norms_[c] : residual_norms_[c],
               worst.tolerance, c};
  }
  return worst;
}

void PanelSnes::prepare_linear_solve(Vec z) {
  Vec f = nullptr;
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const ReadArray state(z);
  const ReadArray residual(f);
  const Worst worst = worst_column(state.data(), residual.data());
  map_.linearise(columns_, state.data(), h_.data(), slopes_.data());
  // KSP controls the norm over the whole panel, which bounds every column. Half: ‖h‖ may shrink on the way.
  KSP ksp = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  PetscReal rtol = 0.0;
  PetscReal divergence = 0.0;
  PetscInt max_iterations = 0;
  check(KSPGetTolerances(ksp, &rtol, nullptr, &divergence, &max_iterations));
  const double target = std::isfinite(worst.tolerance) ? 0.5 * worst.tolerance : PETSC_DEFAULT;
  check(KSPSetTolerances(ksp, rtol, target, divergence, max_iterations));
}

std::string PanelSnes::type() const {
  SNESType type = nullptr;
  check(SNESGetType(snes_.get(), &type));
  return type;
}

std::string PanelSnes::preconditioner() const {
  KSP ksp = nullptr;
  PC pc = nullptr;
  PCType type = nullptr;
  check(SNESGetKSP(snes_.get(), &ksp));
  check(KSPGetPC(ksp, &pc));
  check(PCGetType(pc, &type));
  return type == nullptr ? "" : type;
}

// For a solver inside of this one (composite, npc), which has its own residual and tolerances.
void PanelSnes::linearise(Vec z) {
  ++applications_;
  const ReadArray state(z);
  map_.apply(columns_, state.data(), injection_, h_.data());
  map_.linearise(columns_, state.data(), h_.data(), slopes_.data());
}

SNESConvergedReason PanelSnes::test_convergence(Index iteration) {
  Vec z = nullptr;
  Vec f = nullptr;
  check(SNESGetSolution(snes_.get(), &z));
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  const ReadArray state(z);
  const ReadArray residual(f);
  const Worst worst = worst_column(state.data(), residual.data());
  if (std::isnan(worst.ratio)) return SNES_DIVERGED_FNORM_NAN;
  if (worst.ratio <= 1.0) return SNES_CONVERGED_FNORM_RELATIVE;
  return iteration >= max_iterations_ ? SNES_DIVERGED_MAX_IT : SNES_CONVERGED_ITERATING;
}

Outcome PanelSnes::solve(Index p, const double* injection, double* z) {
  const Index before = applications_;
  const Index used = map_.local_states() * p;
  std::copy_n(injection, used, padded_injection_.data());
  std::fill(padded_injection_.begin() + used, padded_injection_.end(), 0.0);
  injection_ = padded_injection_.data();
  {
    WriteArray start(z_.get());
    std::copy_n(z, used, start.data());
    std::fill(start.data() + used, start.data() + size_, 0.0);
  }
  check(SNESSolve(snes_.get(), nullptr, z_.get()));
  SNESConvergedReason reason = SNES_CONVERGED_ITERATING;
  PetscInt iterations = 0;
  PetscInt linear_iterations = 0;
  const char* text = nullptr;
  check(SNESGetLinearSolveIterations(snes_.get(), &linear_iterations));
  check(SNESGetConvergedReason(snes_.get(), &reason));
  check(SNESGetConvergedReasonString(snes_.get(), &text));
  check(SNESGetIterationNumber(snes_.get(), &iterations));
  const ReadArray solution(z_.get());
  std::copy_n(solution.data(), used, z);

  // Not every SNES type calls our test last, so the residual that is reported is measured here.
  Vec f = nullptr;
  check(SNESGetFunction(snes_.get(), &f, nullptr, nullptr));
  SNESType type = nullptr;
  check(SNESGetType(snes_.get(), &type));
  if (std::string_view(type) != SNESNEWTONLS) compute_residual(z_.get(), f);
  const ReadArray residual(f);
  const Worst worst = worst_column(solution.data(), residual.data());
  return {.solve = "equilibrium",
          .reason = text,
          .converged = reason > 0 && worst.ratio <= 1.0,
          .iterations = std::max(iterations, linear_iterations),
          .products = applications_ - before,
          .residual = worst.residual,
          .worst_sample = worst.column};
}

}  // namespace poise
