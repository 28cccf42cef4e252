#include "poise/solve/column_solver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/solve/outcome.hpp"
#include "poise/solve/solver_types.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
inline namespace solve {

ColumnSolver::ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply,
                           LinearMap apply_transpose, const std::string& prefix, const std::string& name,
                           double default_rtol, const Defaults& defaults, PanelOperator* panel)
    : comm_(comm),
      rows_(rows),
      columns_(columns),
      p_(columns),
      panel_(panel),
      apply_(std::move(apply)),
      name_(name + " (" + prefix + ")"),
      operator_(
          comm, rows * columns,
          [this](const double* x, double* y) {
            ++applications_;
            apply_(x, y);
            std::copy(x + rows_ * p_, x + rows_ * columns_, y + rows_ * p_);
          },
          [this, transpose = std::move(apply_transpose)](const double* x, double* y) {
            transpose(x, y);
            std::copy(x + rows_ * p_, x + rows_ * columns_, y + rows_ * p_);
          }),
      rhs_(create_vec(comm, rows * columns)),
      correction_(duplicate(rhs_.get())) {
  register_solver_types();
  if (panel != nullptr) panel->attach_to(operator_.get());
  check(KSPCreate(comm, ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), prefix.c_str()));
  check(KSPSetOperators(ksp_.get(), operator_.get(), operator_.get()));
  check(KSPSetType(ksp_.get(), defaults.type.c_str()));
  if (SampleIteration* own = sample_iteration(ksp_.get())) {
    own->patient = defaults.patient;
    own->mixing = defaults.mixing;
  }
  if (defaults.restart > 0) check(KSPGMRESSetRestart(ksp_.get(), defaults.restart));
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  check(PCSetType(pc, defaults.preconditioner.c_str()));
  check(
      KSPSetTolerances(ksp_.get(), default_rtol, petsc_unchanged, petsc_unchanged, defaults.max_iterations));
  set_from_options(ksp_.get(), panel == nullptr ? ReservedTypes::refused : ReservedTypes::allowed);
  precondition_on_the_right(ksp_.get());
  if (panel != nullptr) require_suited(ksp_.get(), *panel);
  PetscInt max_iterations = 0;
  PetscReal divergence = 0.0;
  check(KSPGetTolerances(ksp_.get(), &rtol_, nullptr, &divergence, &max_iterations));
  if (is_own_ksp(type())) {
    check(KSPSetTolerances(ksp_.get(), rtol_, 0.0, divergence, max_iterations));
    return;
  }
  // KSP must stop by the absolute norm of the scaled problem, because this norm bounds the worst column.
  check(KSPSetTolerances(ksp_.get(), 0.0, rtol_, divergence, max_iterations));
  scaled_rhs_.resize(static_cast<std::size_t>(std::max<Index>(1, rows * columns)));
  product_.resize(scaled_rhs_.size());
  norms_.resize(static_cast<std::size_t>(columns));
  residual_norms_.resize(norms_.size());
  solution_norms_.resize(norms_.size());
}

void ColumnSolver::load_scaled(const double* rhs) {
  column_norms(comm_, rows_, p_, rhs, norms_.data());
  for (Index c = 0; c < p_; ++c) {
    if (!std::isfinite(norms_[c]))
      norms_[c] = std::numeric_limits<double>::quiet_NaN();  // too large to solve
    const double scale = norms_[c] == 0.0 ? 0.0 : 1.0 / norms_[c];
    for (Index i = c * rows_; i < (c + 1) * rows_; ++i) scaled_rhs_[i] = scale * rhs[i];
  }
}

double ColumnSolver::update_residual(const double* x, Index* worst) {
  ++applications_;
  apply_(x, product_.data());
  WriteArray residual(rhs_.get());
  for (Index i = 0; i < rows_ * p_; ++i) residual[i] = scaled_rhs_[i] - product_[i];
  column_norms(comm_, rows_, p_, residual.data(), residual_norms_.data());
  *worst = 0;
  for (Index c = 1; c < p_; ++c)  // a NaN stays the worst
    if (!std::isnan(residual_norms_[*worst]) && !(residual_norms_[c] <= residual_norms_[*worst])) *worst = c;
  return p_ > 0 ? residual_norms_[*worst] : 0.0;
}

bool ColumnSolver::is_solved(const double* x, double factor) {
  column_norms(comm_, rows_, p_, x, solution_norms_.data());
  for (Index c = 0; c < p_; ++c)
    if (!(residual_norms_[c] <= factor * (rtol_ + attainable_residual * solution_norms_[c]))) return false;
  return true;
}

void ColumnSolver::run(Outcome& outcome) {
  check(KSPSolve(ksp_.get(), rhs_.get(), correction_.get()));
  const KspResult result = result_of(ksp_.get());
  outcome.reason = result.text;
  outcome.iterations += result.iterations;
  outcome.converged = result.reason > 0;
}

Outcome ColumnSolver::solve_by_columns(const double* rhs, double* x, bool warm) {
  Outcome outcome{.solve = name_, .reason = {}};
  check(KSPSetInitialGuessNonzero(ksp_.get(), warm ? PETSC_TRUE : PETSC_FALSE));
  if (p_ == columns_) {
    const PlacedArray right(rhs_.get(), const_cast<double*>(rhs));  // which KSP only reads
    const PlacedArray solution(correction_.get(), x);
    run(outcome);
  } else {
    std::copy_n(rhs, rows_ * p_, WriteArray(rhs_.get()).data());
    if (warm) std::copy_n(x, rows_ * p_, WriteArray(correction_.get()).data());
    run(outcome);
    std::copy_n(ReadArray(correction_.get()).data(), rows_ * p_, x);
  }
  const SampleIteration& own = *sample_iteration(ksp_.get());
  if (!own.failure.empty()) outcome.reason = own.failure + " (" + outcome.reason + ")";
  return outcome;
}

Outcome ColumnSolver::solve(Index p, const double* rhs, double* x, bool warm) {
  p_ = p;
  const Index before = products();
  Outcome outcome = by_columns() ? solve_by_columns(rhs, x, warm) : solve_as_one(rhs, x, warm);
  outcome.products = products() - before;
  return outcome;
}

std::string ColumnSolver::preconditioner() const {
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  return type_of(pc);
}

Index ColumnSolver::products() const {
  return panel_ != nullptr ? panel_->products() : applications_;
}

Outcome ColumnSolver::solve_as_one(const double* rhs, double* x, bool warm) {
  const Index p = p_;
  Outcome outcome{.solve = name_, .reason = {}};
  load_scaled(rhs);
  {
    WriteArray first(rhs_.get());
    std::copy_n(scaled_rhs_.data(), rows_ * p, first.data());
    std::fill(first.data() + rows_ * p, first.data() + rows_ * columns_, 0.0);
  }
  if (warm) {
    for (Index c = 0; c < p; ++c)
      for (Index i = c * rows_; i < (c + 1) * rows_; ++i) x[i] = norms_[c] > 0.0 ? x[i] / norms_[c] : 0.0;
    outcome.residual = update_residual(x, &outcome.worst_sample);
    outcome.converged = is_solved(x, 1.0);
    outcome.reason = "CONVERGED_AT_START";
  } else {
    std::fill_n(x, rows_ * p, 0.0);
  }
  const int attempts = 3;
  for (int attempt = 0; attempt < attempts && !outcome.converged; ++attempt) {
    run(outcome);
    const bool failed = !outcome.converged;
    const ReadArray correction(correction_.get());
    for (Index i = 0; i < rows_ * p; ++i) x[i] += correction[i];
    outcome.residual = update_residual(x, &outcome.worst_sample);
    outcome.converged = is_solved(x, 2.0);
    if (failed || !std::isfinite(outcome.residual)) break;
  }
  for (Index c = 0; c < p; ++c) {
    for (Index i = c * rows_; i < (c + 1) * rows_; ++i) {
      x[i] *= norms_[c];
      product_[i] *= norms_[c];
    }
  }
  return outcome;
}

}  // namespace solve
}  // namespace poise
