#include "poise/solve/column_solver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/solve/column_norms.hpp"
#include "poise/solve/solver_types.hpp"
#include "poise/petsc/solver_options.hpp"

namespace poise {

ColumnSolver::ColumnSolver(MPI_Comm comm, Index rows, Index columns, LinearMap apply,
                           LinearMap apply_transpose, const std::string& prefix, const std::string& name,
                           double default_rtol, const Defaults& defaults)
    : comm_(comm),
      rows_(rows),
      columns_(columns),
      apply_(std::move(apply)),
      name_(name + " (" + prefix + ")"),
      operator_(
          comm, rows * columns,
          [this](const double* x, double* y) {
            ++applications_;
            apply_(x, y);
          },
          std::move(apply_transpose)),
      rhs_(create_vec(comm, rows * columns)),
      correction_(duplicate(rhs_.get())) {
  const auto size = static_cast<std::size_t>(rows * columns);
  scaled_rhs_.resize(size);
  product_.resize(size);
  norms_.resize(static_cast<std::size_t>(columns));
  residual_norms_.resize(static_cast<std::size_t>(columns));
  check(KSPCreate(comm, ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), prefix.c_str()));
  check(KSPSetOperators(ksp_.get(), operator_.get(), operator_.get()));
  check(KSPSetType(ksp_.get(), defaults.type.c_str()));
  if (defaults.restart > 0) check(KSPGMRESSetRestart(ksp_.get(), defaults.restart));
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  check(PCSetType(pc, defaults.preconditioner.c_str()));
  check(KSPSetTolerances(ksp_.get(), default_rtol, PETSC_DEFAULT, PETSC_DEFAULT, 1000));
  set_from_options(ksp_.get());
  precondition_on_the_right(ksp_.get());
  PetscInt max_iterations = 0;
  PetscReal divergence = 0.0;
  check(KSPGetTolerances(ksp_.get(), &rtol_, nullptr, &divergence, &max_iterations));
  max_iterations_ = max_iterations;
  // KSP must stop on the absolute norm of the scaled problem, which is what bounds the worst column.
  check(KSPSetTolerances(ksp_.get(), 0.0, rtol_, divergence, max_iterations));
}

std::string ColumnSolver::type() const {
  KSPType type = nullptr;
  check(KSPGetType(ksp_.get(), &type));
  return type;
}

std::string ColumnSolver::preconditioner() const {
  PC pc = nullptr;
  PCType type = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  check(PCGetType(pc, &type));
  return type == nullptr ? "" : type;
}

void ColumnSolver::load_scaled(const double* rhs) {
  column_norms(comm_, rows_, columns_, rhs, norms_.data());
  for (Index c = 0; c < columns_; ++c) {
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
  for (Index i = 0; i < rows_ * columns_; ++i) residual[i] = scaled_rhs_[i] - product_[i];
  column_norms(comm_, rows_, columns_, residual.data(), residual_norms_.data());
  *worst = 0;
  for (Index c = 1; c < columns_; ++c)  // a NaN wins and stays
    if (!std::isnan(residual_norms_[*worst]) && !(residual_norms_[c] <= residual_norms_[*worst])) *worst = c;
  return columns_ > 0 ? residual_norms_[*worst] : 0.0;
}

bool ColumnSolver::is_solved(const double* x, double factor) {
  solution_norms_.resize(residual_norms_.size());
  column_norms(comm_, rows_, columns_, x, solution_norms_.data());
  for (Index c = 0; c < columns_; ++c)
    if (!(residual_norms_[c] <= factor * (rtol_ + attainable_residual * solution_norms_[c]))) return false;
  return true;
}

Outcome ColumnSolver::solve(const double* rhs, double* x, bool warm) {
  const Index before = applications_;
  Outcome outcome{.solve = name_, .reason = {}};
  load_scaled(rhs);
  if (warm) {
    for (Index c = 0; c < columns_; ++c)
      for (Index i = c * rows_; i < (c + 1) * rows_; ++i) x[i] = norms_[c] > 0.0 ? x[i] / norms_[c] : 0.0;
    outcome.residual = update_residual(x, &outcome.worst_sample);
    outcome.converged = is_solved(x, 1.0);
    outcome.reason = "CONVERGED_AT_START";
  } else {
    std::fill_n(x, rows_ * columns_, 0.0);
    WriteArray first(rhs_.get());
    std::copy(scaled_rhs_.begin(), scaled_rhs_.end(), first.data());
  }
  const int attempts = 3;
  for (int attempt = 0; attempt < attempts && !outcome.converged; ++attempt) {
    check(KSPSolve(ksp_.get(), rhs_.get(), correction_.get()));
    KSPConvergedReason reason = KSP_CONVERGED_ITERATING;
    PetscInt iterations = 0;
    const char* text = nullptr;
    check(KSPGetConvergedReason(ksp_.get(), &reason));
    check(KSPGetConvergedReasonString(ksp_.get(), &text));
    check(KSPGetIterationNumber(ksp_.get(), &iterations));
    outcome.reason = text;
    outcome.iterations += iterations;
    const ReadArray correction(correction_.get());
    for (Index i = 0; i < rows_ * columns_; ++i) x[i] += correction[i];
    outcome.residual = update_residual(x, &outcome.worst_sample);
    outcome.converged = is_solved(x, 2.0);
    if (reason < 0 || !std::isfinite(outcome.residual)) break;
  }
  for (Index c = 0; c < columns_; ++c) {
    for (Index i = c * rows_; i < (c + 1) * rows_; ++i) {
      x[i] *= norms_[c];
      product_[i] *= norms_[c];
    }
  }
  outcome.products = applications_ - before;
  return outcome;
}

}  // namespace poise
