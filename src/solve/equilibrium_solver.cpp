#include "poise/solve/equilibrium_solver.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/solve/column_norms.hpp"

namespace poise {
namespace {

bool is_given(const char* option) {
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, nullptr, option, &given));
  return given == PETSC_TRUE;
}

}  // namespace

EquilibriumSolver::EquilibriumSolver(MPI_Comm comm, const EquilibriumMap& map, Index columns,
                                     double default_rtol, Index samples)
    : comm_(comm), map_(map), columns_(columns) {
  if (const auto form = map.pointwise_form()) mean_ = std::make_shared<MeanField>(form->weights);
  ladder_ = Options().flag("eq_ladder", true, "");
  choose_type(columns, default_rtol, samples > 0 ? samples : columns);
  const auto size = static_cast<std::size_t>(map.local_states() * columns);
  h_.resize(size);
  norms_.resize(static_cast<std::size_t>(2 * columns));
  slope_sum_.resize(static_cast<std::size_t>(map.local_states()));
  make_iteration();
  if (mean_ && Options().flag("eq_float32", false, "")) mean_->allow_single();
  if (ladder_) declare_ladder();
}

std::string EquilibriumSolver::default_type(const EquilibriumMap& map, Index samples) {
  const auto form = map.pointwise_form();
  if (form && MeanField::affordable(form->weights, samples)) return snes_mean_field;
  return map.linear() ? SNESNEWTONLS : snes_picard;
}

void EquilibriumSolver::choose_type(Index columns, double default_rtol, Index samples) {
  PanelSnes::Defaults defaults{.type = default_type(map_, samples), .rtol = default_rtol};
  patient_ = is_given("-eq_snes_type");
  // The iterations of this folder need none of a PanelSnes's memory: it only reads their options.
  main_ = std::make_unique<PanelSnes>(comm_, map_, mean_.get(), 1, defaults);
  type_ = main_->type();
  if (!is_column_iteration(type_))
    main_ = std::make_unique<PanelSnes>(comm_, map_, mean_.get(), columns, defaults);
  require_suited(main_->preconditioner(), "-eq_pc_type", mean_ ? &mean_->weights() : nullptr);
}

void EquilibriumSolver::make_iteration() {
  alpha_ = Options().real("eq_alpha", 0.0, {0, 1e6}, "");
  if (type_ == snes_picard) picard_ = std::make_unique<PicardIteration>(comm_, map_, columns_);
  const bool splitting = type_ == snes_forward_backward || type_ == snes_peaceman_rachford;
  if (type_ != snes_mean_field && !splitting) return;
  const auto form = map_.pointwise_form();
  if (!form)
    throw Error(
        ExitCode::bad_input,
        "-eq_snes_type " + type_ + " needs a model of the form h(z) = a(Wz + u); try newtonls or anderson",
        true);
  if (type_ == snes_mean_field) {
    y_.resize(static_cast<std::size_t>(map_.local_states() * columns_));
    mean_iteration_ = std::make_unique<MeanFieldIteration>(comm_, columns_, *mean_, form->activation);
    return;
  }
  const bool any_step = same_proximal_operator_for_every_step(form->activation);
  if (type_ == snes_forward_backward) {
    if (!any_step || (form->margin == 0.0 && alpha_ == 0.0))
      throw Error(
          ExitCode::bad_input,
          "-eq_snes_type forwardbackward is for -activation relu or identity, and needs monotone weights "
          "or -eq_alpha; try peacemanrachford or meanfield",
          true);
    forward_backward_ = std::make_unique<ForwardBackwardIteration>(comm_, columns_, *form);
    return;
  }
  if (alpha_ == 0.0) alpha_ = 1.0;
  if (!any_step && alpha_ != 1.0)
    throw Error(ExitCode::bad_input, "-eq_alpha other than 1 is for -activation relu or identity", true);
  peaceman_rachford_ = std::make_unique<PeacemanRachfordIteration>(comm_, columns_, *mean_, form->activation);
}

// α = μ/‖I − W‖₂², with the norm bounded by 1 + ‖W‖₂: where the proven rate is best.
double EquilibriumSolver::forward_backward_step() {
  if (alpha_ > 0.0) return alpha_;
  const double norm = 1.0 + estimated_norm(map_.pointwise_form()->weights);
  return map_.pointwise_form()->margin / (norm * norm);
}

void EquilibriumSolver::parameters_changed() {
  if (mean_) mean_->invalidate();
}

void EquilibriumSolver::update_mean_field(Index p, const double* injection, const Memory& memory) {
  const bool splitting = type_ == snes_peaceman_rachford;
  const bool wanted = type_ == snes_mean_field || splitting || main_->preconditioner() == pc_mean_field;
  if (!mean_ || mean_->valid() || !wanted) return;
  const Index rows = map_.local_states();
  if (splitting) {
    std::fill(slope_sum_.begin(), slope_sum_.end(), alpha_ / (1.0 + alpha_));
    return mean_->update(slope_sum_.data());
  }
  std::fill(slope_sum_.begin(), slope_sum_.end(), map_.linear() ? 1.0 : 0.0);
  if (!map_.linear()) {
    // The slopes where the iteration starts: a(y + u), y = Wz from before or 0.
    const Activation activation = map_.pointwise_form()->activation;
    const bool warm = memory.warm && type_ == snes_mean_field;
    if (warm)
      activate_sum(activation, rows * p, memory.block, injection, h_.data());
    else
      activate(activation, rows * p, injection, h_.data());
    activation_slope(activation, rows * p, h_.data(), h_.data());
    for (Index c = 0; c < p; ++c)
      for (Index i = 0; i < rows; ++i)  // one broken sample must not break the others
        if (std::isfinite(h_[c * rows + i])) slope_sum_[i] += h_[c * rows + i] / static_cast<double>(p);
  }
  mean_->update_or_plain(slope_sum_.data());
}

Outcome EquilibriumSolver::first_attempt(Index p, const double* injection, double* z, const Memory& memory) {
  const ColumnIteration::Limits limits{.relative = main_->rtol(),
                                       .absolute = main_->atol(),
                                       .iterations = main_->max_iterations(),
                                       .patient = !ladder_ || (patient_ && type_ != snes_mean_field)};
  ColumnIteration::Result result;
  if (type_ == snes_mean_field) {
    double* y = memory.block != nullptr ? memory.block : y_.data();
    if (!memory.warm) std::fill_n(y, map_.local_states() * p, 0.0);
    result = mean_iteration_->run(p, injection, y, z, limits);
  } else {
    if (memory.warm) std::copy_n(memory.block, map_.local_states() * p, z);
    if (picard_)
      result = picard_->run(p, injection, z, limits);
    else if (forward_backward_)
      result = forward_backward_->run(p, injection, z, forward_backward_step(), limits);
    else if (peaceman_rachford_)
      result = peaceman_rachford_->run(p, injection, z, alpha_, limits);
    else
      return main_->solve(p, injection, z);
  }
  return {.solve = {},
          .reason = !result.reason.empty()                            ? result.reason
                    : mean_ && mean_->single_columns_multiplied() > 0 ? "CONVERGED_WITH_FLOAT32_PRODUCTS"
                                                                      : "CONVERGED",
          .iterations = result.iterations,
          .products = result.products};
}

// A PanelSnes has measured its residual itself.
bool EquilibriumSolver::image_is_known(const Outcome& outcome) const {
  return !is_column_iteration(type_) && outcome.fallbacks == 0;
}

std::vector<Index> EquilibriumSolver::verify(Index p, const double* injection, double* z, double* slopes,
                                             Outcome& outcome) {
  const Index rows = map_.local_states();
  if (image_is_known(outcome)) {
    std::copy_n(main_->image(), rows * p, h_.data());
  } else {
    map_.apply(p, z, injection, h_.data());
    ++outcome.products;
  }
  map_.linearise(p, z, h_.data(), slopes);
  column_norms(comm_, rows, p, h_.data(), norms_.data());
  for (Index i = 0; i < rows * p; ++i) h_[i] -= z[i];
  column_norms(comm_, rows, p, h_.data(), norms_.data() + p);
  std::vector<Index> left;
  outcome.residual = 0.0;
  outcome.worst_sample = 0;
  for (Index c = 0; c < p; ++c) {
    const double size = norms_[c];
    const double residual = size > 0.0 ? norms_[p + c] / size : norms_[p + c];
    if (!std::isfinite(size) || !(norms_[p + c] <= rtol() * size + main_->atol())) left.push_back(c);
    if (std::isnan(outcome.residual) || residual <= outcome.residual) continue;  // a NaN wins and stays
    outcome.residual = residual;
    outcome.worst_sample = c;
  }
  return left;
}

Outcome EquilibriumSolver::solve(Index p, const double* injection, double* z, double* slopes, Memory memory) {
  update_mean_field(p, injection, memory);
  Outcome outcome = first_attempt(p, injection, z, memory);
  outcome.solve = "equilibrium (eq_)";
  std::vector<Index> left = verify(p, injection, z, slopes, outcome);
  if (!left.empty() && ladder_) {
    outcome.reason = type_ + ": " + outcome.reason;
    outcome.fallbacks = static_cast<Index>(left.size());
    const std::vector<Index> failed = left;
    left = climb(std::move(left), p, injection, z, slopes, outcome);
    if (memory.block != nullptr && type_ == snes_mean_field) remember(failed, z, memory.block, outcome);
  }
  outcome.converged = left.empty();
  if (memory.block != nullptr && type_ != snes_mean_field)
    std::copy_n(z, map_.local_states() * p, memory.block);
  return outcome;
}

}  // namespace poise
