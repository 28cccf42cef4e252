// The ladder of an EquilibriumSolver: who solves the samples that the chosen solver did not.
#include <algorithm>
#include <bit>

#include "poise/solve/equilibrium_solver.hpp"

namespace poise {
namespace {

constexpr std::size_t mixing_depth = 5;
constexpr Index most_mixed_iterations = 150;

PanelSnes::Defaults newton_rung(double rtol, bool mean_field) {
  return {.prefix = "eq_newton_",
          .type = SNESNEWTONLS,
          .rtol = rtol,
          .search = true,
          .preconditioner = mean_field ? pc_mean_field : PCNONE,
          .restart = 100};
}

PanelSnes::Defaults anderson_rung(double rtol) {
  return {.prefix = "eq_anderson_", .type = SNESANDERSON, .rtol = rtol};
}

}  // namespace

// In the constructor, so that the options of the ladder count as known whether or not it is climbed.
void EquilibriumSolver::declare_ladder() {
  (void)rung(newton_rung(rtol(), mean_ != nullptr), 1);
  (void)rung(anderson_rung(rtol()), 1);
}

PanelSnes& EquilibriumSolver::rung(const PanelSnes::Defaults& defaults, Index p) {
  const Index width = rung_width(p);
  auto& found = rungs_[{defaults.prefix, width}];
  if (!found) found = std::make_unique<PanelSnes>(comm_, map_, mean_.get(), width, defaults);
  return *found;
}

Index EquilibriumSolver::rung_width(Index p) const {
  return std::min(columns_, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(p))));
}

std::string EquilibriumSolver::mix(Index p, Outcome& outcome) {
  auto& iteration = mixed_[rung_width(p)];
  if (!iteration)
    iteration = std::make_unique<MeanFieldIteration>(comm_, rung_width(p), *mean_,
                                                     map_.pointwise_form()->activation, mixing_depth);
  left_y_.assign(left_z_.size(), 0.0);
  const ColumnIteration::Limits limits{.relative = main_->rtol(),
                                       .absolute = main_->atol(),
                                       .iterations = most_mixed_iterations,
                                       .patient = true};
  const auto result = iteration->run(p, left_injection_.data(), left_y_.data(), left_z_.data(), limits);
  outcome.products += result.products;
  outcome.iterations = std::max(outcome.iterations, result.iterations);
  return result.reason.empty() ? "CONVERGED" : result.reason;
}

std::string EquilibriumSolver::run_rung(const PanelSnes::Defaults& defaults, Index p, Outcome& outcome) {
  left_z_ = left_injection_;
  const Outcome step = rung(defaults, p).solve(p, left_injection_.data(), left_z_.data());
  outcome.products += step.products;
  outcome.iterations = std::max(outcome.iterations, step.iterations);
  return step.reason;
}

// Every rung gets the samples that the ones before it did not solve, and hands on what is left.
std::vector<Index> EquilibriumSolver::climb(std::vector<Index> left, Index p, const double* injection,
                                            double* z, double* slopes, Outcome& outcome) {
  const Index rows = map_.local_states();
  const bool mean = mean_ && mean_->valid();
  const std::vector<PanelSnes::Defaults> snes_rungs{newton_rung(rtol(), mean), anderson_rung(rtol())};
  const bool mixing = type_ == snes_mean_field;
  for (std::size_t k = mixing ? 0 : 1; k <= snes_rungs.size() && !left.empty(); ++k) {
    const auto count = static_cast<Index>(left.size());
    left_injection_.resize(static_cast<std::size_t>(rows * count));
    left_z_.resize(left_injection_.size());
    for (Index c = 0; c < count; ++c)
      std::copy_n(injection + left[c] * rows, rows, left_injection_.data() + c * rows);
    outcome.reason +=
        k == 0 ? ", mixed: " + mix(count, outcome)
               : ", " + snes_rungs[k - 1].prefix + ": " + run_rung(snes_rungs[k - 1], count, outcome);
    for (Index c = 0; c < count; ++c) std::copy_n(left_z_.data() + c * rows, rows, z + left[c] * rows);
    left = verify(p, injection, z, slopes, outcome);
  }
  return left;
}

// What the mean-field iteration left in the memory of these columns is where it gave up.
void EquilibriumSolver::remember(const std::vector<Index>& left, const double* z, double* memory,
                                 Outcome& outcome) {
  const Index rows = map_.local_states();
  const auto p = static_cast<Index>(left.size());
  left_z_.resize(static_cast<std::size_t>(rows * p));
  left_injection_.resize(left_z_.size());
  for (Index k = 0; k < p; ++k) std::copy_n(z + left[k] * rows, rows, left_z_.data() + k * rows);
  mean_->weights().multiply(p, left_z_.data(), left_injection_.data());
  ++outcome.products;
  for (Index k = 0; k < p; ++k) std::copy_n(left_injection_.data() + k * rows, rows, memory + left[k] * rows);
}

}  // namespace poise
