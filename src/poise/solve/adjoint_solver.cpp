#include "poise/solve/adjoint_solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace solve {
namespace {

constexpr int mixing_depth = 5;
constexpr int most_mixed_iterations = 150;

}  // namespace

AdjointSolver::PanelKsp::PanelKsp(AdjointSolver& owner, Index columns, const std::string& prefix, double rtol,
                                  const ColumnSolver::Defaults& defaults)
    : op(owner.comm_, owner.map_, owner.mean_, columns, true),
      solver(
          owner.comm_, owner.map_.local_states(), columns,
          [this](const double* v, double* out) { op.apply(v, out); },
          [this](const double* v, double* out) { op.apply_transpose(v, out); }, prefix, "adjoint", rtol,
          defaults, &op) {}

Outcome AdjointSolver::PanelKsp::solve(Index p, const double* slopes, const double* rhs, double* lambda,
                                       bool warm) {
  op.linearise(p, slopes);
  return solver.solve(p, rhs, lambda, warm);
}

AdjointSolver::AdjointSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns, double default_rtol,
                             std::shared_ptr<MeanField> mean, const Defaults& defaults,
                             const Backward& backward)
    : comm_(comm), map_(map), columns_(columns), mean_(std::move(mean)), backward_(backward) {
  if (const auto form = map.pointwise_form(); form && !mean_)
    mean_ = std::make_shared<MeanField>(form->weights, form->column_sum);
  Options options;
  ladder_ = adj_ladder_option(options);
  const std::string given = given_option("-adj_ksp_type");
  const bool mean_field = given == ksp_mean_field;
  main_ = std::make_unique<PanelKsp>(
      *this, columns, "adj_", default_rtol,
      // As in EquilibriumSolver.
      ColumnSolver::Defaults{.type = is_own_ksp(given) ? given : defaults.type,
                             .preconditioner = mean_field ? PCNONE : defaults.preconditioner,
                             .patient = !ladder_ || !(given.empty() || mean_field)});
  type_ = main_->solver.type();
  image_.resize(static_cast<std::size_t>(map.local_states() * columns));
  norms_.resize(static_cast<std::size_t>(3 * columns));
  // All rungs are made here, so that their options count as known even if the ladder is never used.
  if (ladder_)
    for (const Rung& one : ladder()) (void)rung(one, 1);
}

std::vector<AdjointSolver::Rung> AdjointSolver::ladder() const {
  std::vector<Rung> rungs;
  const bool mean = type_ == ksp_mean_field;
  const bool perron = mean_ && mean_->perron().exists();
  const bool corrected = type_ == ksp_neumann && main_->solver.preconditioner() == pc_perron;
  if (mean || corrected)
    rungs.push_back({"adj_mixed_",
                     {.type = type_,
                      .preconditioner = corrected ? pc_perron : PCNONE,
                      .max_iterations = most_mixed_iterations,
                      .mixing = mixing_depth}});
  rungs.push_back({"adj_gmres_",
                   {.preconditioner = mean     ? pc_mean_field
                                      : perron ? pc_perron
                                               : PCNONE,
                    .restart = 100}});
  return rungs;
}

AdjointSolver::PanelKsp& AdjointSolver::rung(const Rung& rung, Index p) {
  const Index width = std::min(columns_, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(p))));
  auto& found = rungs_[{rung.prefix, width}];
  if (!found) found = std::make_unique<PanelKsp>(*this, width, rung.prefix, rtol(), rung.defaults);
  return *found;
}

Outcome AdjointSolver::truncated(Index p, const double* slopes, const double* rhs, double* lambda) {
  const Index size = map_.local_states() * p;
  std::copy_n(rhs, size, lambda);
  for (Index k = 1; k < backward_.terms; ++k) {
    map_.jacobian_transpose(p, slopes, lambda, image_.data());
    for (Index i = 0; i < size; ++i) lambda[i] = rhs[i] + image_[i];
  }
  return {.solve = "adjoint",
          .reason = fmt::format("INEXACT_NEUMANN_{}", backward_.terms),
          .converged = true,
          .iterations = backward_.terms - 1,
          .products = backward_.terms - 1,
          .residual = std::numeric_limits<double>::quiet_NaN()};
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
    const double allowed = rtol() * norms_[c] + attainable_residual * norms_[2 * p + c];
    if (!std::isfinite(norms_[c]) || !(norms_[p + c] <= 2.0 * allowed)) left.push_back(c);
    if (std::isnan(outcome.residual) || residual <= outcome.residual) continue;  // a NaN stays the worst
    outcome.residual = residual;
    outcome.worst_sample = c;
  }
  return left;
}

// As EquilibriumSolver::climb.
std::vector<Index> AdjointSolver::climb(std::vector<Index> left, Index p, const double* slopes,
                                        const double* rhs, double* lambda, Outcome& outcome) {
  const Index rows = map_.local_states();
  const Index slope_rows = map_.slope_rows();
  outcome.reason = type_ + ": " + outcome.reason;
  outcome.fallbacks = static_cast<Index>(left.size());
  for (const Rung& one : ladder()) {
    if (left.empty()) break;
    const auto count = static_cast<Index>(left.size());
    left_slopes_.resize(static_cast<std::size_t>(slope_rows * count));
    left_rhs_.resize(static_cast<std::size_t>(rows * count));
    left_lambda_.resize(left_rhs_.size());
    for (Index c = 0; c < count; ++c) {
      std::copy_n(slopes + left[c] * slope_rows, slope_rows, left_slopes_.data() + c * slope_rows);
      std::copy_n(rhs + left[c] * rows, rows, left_rhs_.data() + c * rows);
    }
    const Outcome step =
        rung(one, count).solve(count, left_slopes_.data(), left_rhs_.data(), left_lambda_.data(), false);
    outcome.products += step.products;
    outcome.iterations = std::max(outcome.iterations, step.iterations);
    outcome.reason += ", " + one.prefix + ": " + step.reason;
    for (Index c = 0; c < count; ++c)
      std::copy_n(left_lambda_.data() + c * rows, rows, lambda + left[c] * rows);
    left = verify(p, slopes, rhs, lambda, outcome);
  }
  return left;
}

Outcome AdjointSolver::solve(Index p, const double* slopes, const double* rhs, double* lambda, bool warm) {
  if (!backward_.exact()) return truncated(p, slopes, rhs, lambda);
  Outcome outcome = main_->solve(p, slopes, rhs, lambda, warm);
  outcome.solve = "adjoint (adj_)";
  const bool measured = !is_own_ksp(type_) && outcome.converged;
  if (measured) return outcome;  // ColumnSolver has computed the true residual
  std::vector<Index> left = verify(p, slopes, rhs, lambda, outcome);
  if (!left.empty() && ladder_) left = climb(std::move(left), p, slopes, rhs, lambda, outcome);
  outcome.converged = left.empty();
  return outcome;
}

}  // namespace solve
}  // namespace poise
