#include "poise/solve/equilibrium_solver.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace solve {
namespace {

constexpr int mixing_depth = 5;
constexpr int most_mixed_iterations = 150;

/// Whether a type passes slow samples on to the next solver, even if the user chose the type by name.
bool hands_on(const std::string& type) {
  return type.empty() || type == snes_mean_field || type == snes_perron;
}

}  // namespace

EquilibriumSolver::EquilibriumSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns,
                                     double default_rtol, Index samples)
    : comm_(comm), map_(map), columns_(columns) {
  if (const auto form = map.pointwise_form())
    mean_ = std::make_shared<MeanField>(form->weights, form->column_sum);
  Options options;
  if (mean_ && eq_float32_option(options)) mean_->allow_single();
  ladder_ = eq_ladder_option(options);
  const std::string given = given_option("-eq_snes_type");
  main_ = std::make_unique<PanelSnes>(
      comm, map, mean_, columns,
      // If the user chose one of Poise's types, it is made at once: setting a different type later would lose
      // `patient`.
      PanelSnes::Defaults{
          .type = is_own_snes(given) ? given : default_type(map, samples > 0 ? samples : columns),
          .rtol = default_rtol,
          .patient = !ladder_ || !hands_on(given)});
  residuals_.resize(static_cast<std::size_t>(columns));
  solved_.resize(residuals_.size());
  // All rungs are made here, so that their options count as known even if the ladder is never used.
  if (ladder_)
    for (const PanelSnes::Defaults& defaults : ladder()) (void)rung(defaults, 1);
}

std::string EquilibriumSolver::default_type(const EquilibriumMap& map, Index samples) {
  const auto form = map.pointwise_form();
  if (form && MeanField::affordable(form->weights, samples)) return snes_mean_field;
  if (map.linear()) return SNESNEWTONLS;
  return form && form->column_sum > 0.0 ? snes_perron : snes_picard;
}

void EquilibriumSolver::parameters_changed() {
  if (mean_) mean_->invalidate();
}

std::vector<PanelSnes::Defaults> EquilibriumSolver::ladder() const {
  std::vector<PanelSnes::Defaults> rungs;
  const bool mean = type() == snes_mean_field;
  const bool perron = mean_ && mean_->perron().exists();
  if (hands_on(type()))
    rungs.push_back({.prefix = "eq_mixed_",
                     .type = type(),
                     .rtol = rtol(),
                     .max_iterations = most_mixed_iterations,
                     .mixing = mixing_depth});
  rungs.push_back({.prefix = "eq_newton_",
                   .type = SNESNEWTONLS,
                   .rtol = rtol(),
                   .search = true,
                   .preconditioner = mean     ? pc_mean_field
                                     : perron ? pc_perron
                                              : PCNONE,
                   .restart = 100});
  rungs.push_back({.prefix = "eq_anderson_", .type = SNESANDERSON, .rtol = rtol()});
  return rungs;
}

PanelSnes& EquilibriumSolver::rung(const PanelSnes::Defaults& defaults, Index p) {
  const Index width = std::min(columns_, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(p))));
  auto& found = rungs_[{defaults.prefix, width}];
  if (!found) found = std::make_unique<PanelSnes>(comm_, map_, mean_, width, defaults);
  return *found;
}

std::vector<Index> EquilibriumSolver::take(const PanelSnes& rung, const std::vector<Index>& left, double* z,
                                           double* slopes) {
  const Index rows = map_.local_states();
  const Index slope_rows = map_.slope_rows();
  const auto count = static_cast<Index>(left.size());
  left_slopes_.resize(static_cast<std::size_t>(slope_rows * count));
  map_.linearise(count, left_z_.data(), rung.image(), left_slopes_.data());
  std::vector<Index> failed;
  for (Index c = 0; c < count; ++c) {
    std::copy_n(left_z_.data() + c * rows, rows, z + left[c] * rows);
    std::copy_n(left_slopes_.data() + c * slope_rows, slope_rows, slopes + left[c] * slope_rows);
    residuals_[left[c]] = rung.residual(c);
    solved_[left[c]] = static_cast<char>(rung.solved(c));
    if (!rung.solved(c)) failed.push_back(left[c]);
  }
  return failed;
}

std::vector<Index> EquilibriumSolver::climb(std::vector<Index> left, const double* injection, double* z,
                                            double* slopes, Outcome& outcome) {
  const Index rows = map_.local_states();
  outcome.reason = type() + ": " + outcome.reason;
  outcome.fallbacks = static_cast<Index>(left.size());
  for (const PanelSnes::Defaults& defaults : ladder()) {
    if (left.empty()) break;
    const auto count = static_cast<Index>(left.size());
    left_injection_.resize(static_cast<std::size_t>(rows * count));
    for (Index c = 0; c < count; ++c)
      std::copy_n(injection + left[c] * rows, rows, left_injection_.data() + c * rows);
    left_z_ = left_injection_;  // a better start than zero: without an activation it is h(0)
    PanelSnes& next = rung(defaults, count);
    const Outcome step = next.solve(count, left_injection_.data(), left_z_.data());
    outcome.products += step.products;
    outcome.iterations = std::max(outcome.iterations, step.iterations);
    outcome.reason += ", " + defaults.prefix + ": " + step.reason;
    left = take(next, left, z, slopes);
  }
  return left;
}

// For these columns the memory holds the states at which the first solver gave up.
void EquilibriumSolver::remember(const std::vector<Index>& left, const double* z, double* memory,
                                 Outcome& outcome) {
  const Index rows = map_.local_states();
  const auto p = static_cast<Index>(left.size());
  left_z_.resize(static_cast<std::size_t>(rows * p));
  for (Index k = 0; k < p; ++k) std::copy_n(z + left[k] * rows, rows, left_z_.data() + k * rows);
  if (type() == snes_mean_field) {
    left_injection_.resize(left_z_.size());
    mean_->weights().multiply(p, left_z_.data(), left_injection_.data());
    left_z_.swap(left_injection_);
    ++outcome.products;
  }
  for (Index k = 0; k < p; ++k) std::copy_n(left_z_.data() + k * rows, rows, memory + left[k] * rows);
}

void EquilibriumSolver::judge(Index p, bool converged, Outcome& outcome) const {
  outcome.converged = converged;
  outcome.residual = 0.0;
  outcome.worst_sample = 0;
  for (Index c = 0; c < p; ++c) {
    if (std::isnan(outcome.residual) || residuals_[c] <= outcome.residual) continue;  // a NaN stays the worst
    outcome.residual = residuals_[c];
    outcome.worst_sample = c;
  }
}

Outcome EquilibriumSolver::solve(Index p, const double* injection, double* z, double* slopes, Memory memory) {
  Outcome outcome = main_->solve(p, injection, z, memory);
  outcome.solve = "equilibrium (eq_)";
  if (outcome.converged && mean_ && mean_->single_columns_multiplied() > 0)
    outcome.reason += " (WITH_FLOAT32_PRODUCTS)";
  map_.linearise(p, z, main_->image(), slopes);
  std::vector<Index> left;
  for (Index c = 0; c < p; ++c) {
    residuals_[c] = main_->residual(c);
    solved_[c] = static_cast<char>(main_->solved(c));
    if (!main_->solved(c)) left.push_back(c);
  }
  if (!left.empty() && ladder_) {
    const std::vector<Index> failed = left;
    left = climb(std::move(left), injection, z, slopes, outcome);
    if (memory.block != nullptr) remember(failed, z, memory.block, outcome);
  }
  judge(p, left.empty(), outcome);
  return outcome;
}

}  // namespace solve
}  // namespace poise
