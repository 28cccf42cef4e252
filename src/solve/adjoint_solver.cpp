#include "poise/solve/adjoint_solver.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/solve/column_norms.hpp"

namespace poise {
namespace {

constexpr std::size_t mixing_depth = 5;
constexpr Index most_mixed_iterations = 150;

LinearMap identity_minus(Index size, LinearMap map) {
  return [size, map = std::move(map)](const double* v, double* out) {
    map(v, out);
    for (Index i = 0; i < size; ++i) out[i] = v[i] - out[i];
  };
}

}  // namespace

AdjointSolver::Krylov::Krylov(AdjointSolver& owner, Index width, const std::string& prefix, double rtol,
                              const ColumnSolver::Defaults& defaults)
    : rows(owner.map_.local_states()),
      slope_rows(owner.map_.slope_rows()),
      columns(width),
      slopes_(static_cast<std::size_t>(slope_rows * width)),
      rhs_(static_cast<std::size_t>(rows * width)),
      lambda_(rhs_.size()),
      solver(owner.comm_, rows, width,
             identity_minus(rows * width,
                            [this, &map = owner.map_](const double* v, double* out) {
                              map.jacobian_transpose(columns, slopes_.data(), v, out);
                            }),
             identity_minus(rows * width,
                            [this, &map = owner.map_](const double* v, double* out) {
                              map.jacobian(columns, slopes_.data(), v, out);
                            }),
             prefix, "adjoint", rtol, defaults) {
  if (const auto form = owner.map_.pointwise_form())
    preconditioner = {owner.mean_.get(), &form->weights,
                      [this] { return slope_rows == 0 ? nullptr : slopes_.data(); }, true, width};
  attach_preconditioner(solver.mat(), preconditioner);
}

Outcome AdjointSolver::Krylov::solve(Index p, const double* slopes, const double* rhs, double* lambda,
                                     bool warm) {
  std::copy_n(slopes, slope_rows * p, slopes_.data());
  std::copy_n(rhs, rows * p, rhs_.data());
  std::fill(slopes_.begin() + slope_rows * p, slopes_.end(), 0.0);
  std::fill(rhs_.begin() + rows * p, rhs_.end(), 0.0);
  std::fill(lambda_.begin(), lambda_.end(), 0.0);
  if (warm) std::copy_n(lambda, rows * p, lambda_.data());
  Outcome outcome = solver.solve(rhs_.data(), lambda_.data(), warm);
  std::copy_n(lambda_.data(), rows * p, lambda);
  return outcome;
}

AdjointSolver::AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol,
                             std::shared_ptr<MeanField> mean, const std::string& default_type,
                             const Backward& backward)
    : comm_(comm), map_(map), columns_(columns), mean_(std::move(mean)), backward_(backward) {
  register_solver_types();
  if (const auto form = map.pointwise_form(); form && !mean_)
    mean_ = std::make_shared<MeanField>(form->weights);
  const ColumnSolver::Defaults defaults{.type = default_type};
  main_ = std::make_unique<Krylov>(*this, 1, "adj_", default_rtol, defaults);
  type_ = main_->solver.type();
  if (!is_column_iteration(type_))
    main_ = std::make_unique<Krylov>(*this, columns, "adj_", default_rtol, defaults);
  ladder_ = Options().flag("adj_ladder", true, "");
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, nullptr, "-adj_ksp_type", &given));
  patient_ = given == PETSC_TRUE && type_ == ksp_neumann;
  preconditioned_ = main_->solver.preconditioner() == pc_mean_field;
  require_suited(main_->solver.preconditioner(), "-adj_pc_type", mean_ ? &mean_->weights() : nullptr);
  if (type_ == ksp_mean_field && !mean_)
    throw Error(ExitCode::bad_input,
                "-adj_ksp_type meanfield needs a model of the form h(z) = a(Wz + u); try gmres", true);
  const auto size = static_cast<std::size_t>(map.local_states() * columns);
  image_.resize(size);
  norms_.resize(static_cast<std::size_t>(3 * columns));
  mean_slopes_.resize(static_cast<std::size_t>(map.local_states()));
  if (type_ == ksp_mean_field)
    mean_iteration_ = std::make_unique<MeanFieldAdjoint>(comm, columns, *mean_, map.linear());
  if (type_ == ksp_neumann) neumann_ = std::make_unique<NeumannIteration>(comm, map, columns);
  if (ladder_)
    rungs_[1] = std::make_unique<Krylov>(*this, 1, "adj_gmres_", main_->solver.rtol(),
                                         ColumnSolver::Defaults{.restart = 100});
}

void AdjointSolver::update_mean_field(Index p, const double* slopes) {
  if (!mean_ || mean_->valid() || (type_ != ksp_mean_field && !preconditioned_)) return;
  const Index rows = map_.local_states();
  std::fill(mean_slopes_.begin(), mean_slopes_.end(), map_.linear() ? 1.0 : 0.0);
  if (!map_.linear())
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < rows; ++i) mean_slopes_[i] += slopes[c * rows + i] / static_cast<double>(p);
  mean_->update_or_plain(mean_slopes_.data());
}

Outcome AdjointSolver::truncated(Index p, const double* slopes, const double* rhs, double* lambda) {
  const Index size = map_.local_states() * p;
  std::copy_n(rhs, size, lambda);
  for (Index k = 1; k < backward_.terms; ++k) {
    map_.jacobian_transpose(p, slopes, lambda, image_.data());
    for (Index i = 0; i < size; ++i) lambda[i] = rhs[i] + image_[i];
  }
  return {.solve = "adjoint",
          .reason = "INEXACT_NEUMANN_" + std::to_string(backward_.terms),
          .converged = true,
          .iterations = backward_.terms - 1,
          .products = backward_.terms - 1,
          .residual = std::numeric_limits<double>::quiet_NaN()};
}

Outcome AdjointSolver::first_attempt(Index p, const double* slopes, const double* rhs, double* lambda,
                                     bool warm) {
  if (!is_column_iteration(type_)) return main_->solve(p, slopes, rhs, lambda, warm);
  if (!warm) std::copy_n(rhs, map_.local_states() * p, lambda);
  const ColumnIteration::Limits limits{.relative = main_->solver.rtol(),
                                       .iterations = main_->solver.max_iterations(),
                                       .patient = !ladder_ || patient_};
  const auto result = type_ == ksp_mean_field ? mean_iteration_->run(p, slopes, rhs, lambda, limits)
                                              : neumann_->run(p, slopes, rhs, lambda, limits);
  return {.solve = {},
          .reason = result.reason.empty() ? "CONVERGED" : result.reason,
          .iterations = result.iterations,
          .products = result.products};
}

std::vector<Index> AdjointSolver::verify(Index p, const double* slopes, const double* rhs,
                                         const double* lambda, Outcome& outcome) {
  const Index rows = map_.local_states();
  map_.jacobian_transpose(p, slopes, lambda, image_.data());
  ++outcome.products;
  for (Index i = 0; i < rows * p; ++i) image_[i] = lambda[i] - image_[i] - rhs[i];
  column_norms(comm_, rows, p, rhs, norms_.data());
  column_norms(comm_, rows, p, image_.data(), norms_.data() + p);
  column_norms(comm_, rows, p, lambda, norms_.data() + 2 * p);
  std::vector<Index> left;
  outcome.residual = 0.0;
  outcome.worst_sample = 0;
  for (Index c = 0; c < p; ++c) {
    const double residual = norms_[c] > 0.0 ? norms_[p + c] / norms_[c] : norms_[p + c];
    const double allowed = main_->solver.rtol() * norms_[c] + attainable_residual * norms_[2 * p + c];
    if (!std::isfinite(norms_[c]) || !(norms_[p + c] <= 2.0 * allowed)) left.push_back(c);
    if (std::isnan(outcome.residual) || residual <= outcome.residual) continue;  // a NaN wins and stays
    outcome.residual = residual;
    outcome.worst_sample = c;
  }
  return left;
}

Index AdjointSolver::rung_width(Index p) const {
  return std::min(columns_, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(p))));
}

std::string AdjointSolver::mix(Index p, Outcome& outcome) {
  auto& iteration = mixed_[rung_width(p)];
  if (!iteration)
    iteration = std::make_unique<MeanFieldAdjoint>(comm_, rung_width(p), *mean_, map_.linear(), mixing_depth);
  left_lambda_ = left_rhs_;
  const ColumnIteration::Limits limits{
      .relative = main_->solver.rtol(), .iterations = most_mixed_iterations, .patient = true};
  const auto result = iteration->run(p, left_slopes_.data(), left_rhs_.data(), left_lambda_.data(), limits);
  outcome.products += result.products;
  outcome.iterations = std::max(outcome.iterations, result.iterations);
  return result.reason.empty() ? "CONVERGED" : result.reason;
}

std::string AdjointSolver::run_gmres(Index p, Outcome& outcome) {
  auto& rung = rungs_[rung_width(p)];
  if (!rung) {
    const bool mean = mean_ && mean_->valid();
    rung = std::make_unique<Krylov>(
        *this, rung_width(p), "adj_gmres_", main_->solver.rtol(),
        ColumnSolver::Defaults{.preconditioner = mean ? pc_mean_field : PCNONE, .restart = 100});
  }
  const Outcome step = rung->solve(p, left_slopes_.data(), left_rhs_.data(), left_lambda_.data(), false);
  outcome.products += step.products;
  outcome.iterations = std::max(outcome.iterations, step.iterations);
  return step.reason;
}

// As EquilibriumSolver::climb.
std::vector<Index> AdjointSolver::climb(std::vector<Index> left, Index p, const double* slopes,
                                        const double* rhs, double* lambda, Outcome& outcome) {
  const Index rows = map_.local_states();
  const Index slope_rows = map_.slope_rows();
  for (int k = type_ == ksp_mean_field ? 0 : 1; k < 2 && !left.empty(); ++k) {
    const auto count = static_cast<Index>(left.size());
    left_slopes_.resize(static_cast<std::size_t>(slope_rows * count));
    left_rhs_.resize(static_cast<std::size_t>(rows * count));
    left_lambda_.resize(left_rhs_.size());
    for (Index c = 0; c < count; ++c) {
      std::copy_n(slopes + left[c] * slope_rows, slope_rows, left_slopes_.data() + c * slope_rows);
      std::copy_n(rhs + left[c] * rows, rows, left_rhs_.data() + c * rows);
    }
    outcome.reason +=
        k == 0 ? ", mixed: " + mix(count, outcome) : ", adj_gmres_: " + run_gmres(count, outcome);
    for (Index c = 0; c < count; ++c)
      std::copy_n(left_lambda_.data() + c * rows, rows, lambda + left[c] * rows);
    left = verify(p, slopes, rhs, lambda, outcome);
  }
  return left;
}

Outcome AdjointSolver::solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm) {
  if (!backward_.exact()) return truncated(p, slopes, rhs, lambda);
  update_mean_field(p, slopes);
  Outcome outcome = first_attempt(p, slopes, rhs, lambda, warm);
  outcome.solve = "adjoint (adj_)";
  const bool measured = !is_column_iteration(type_) && outcome.converged;
  if (measured) return outcome;  // by the ColumnSolver
  std::vector<Index> left = verify(p, slopes, rhs, lambda, outcome);
  if (!left.empty() && ladder_) {
    outcome.reason = type_ + ": " + outcome.reason;
    outcome.fallbacks = static_cast<Index>(left.size());
    left = climb(std::move(left), p, slopes, rhs, lambda, outcome);
  }
  outcome.converged = left.empty();
  return outcome;
}

}  // namespace poise
