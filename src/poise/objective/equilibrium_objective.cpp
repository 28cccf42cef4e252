#include "poise/objective/equilibrium_objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace objective {

WarmStart::WarmStart(Index rows, Index samples, std::size_t blocks, std::size_t points)
    : rows_(rows), samples_(samples), points_(points) {
  for (Point& point : points_)
    point.blocks.assign(blocks, std::vector<double>(static_cast<std::size_t>(rows * samples)));
  known_.assign(blocks, std::vector<char>(static_cast<std::size_t>(samples), 0));
}

void WarmStart::clear() {
  held_ = used_ = 0;
  open_ = false;
  for (auto& known : known_) std::fill(known.begin(), known.end(), static_cast<char>(0));
}

double WarmStart::bytes() const {
  return 8.0 * static_cast<double>(rows_ * samples_) * static_cast<double>(points_.size() * known_.size());
}

void WarmStart::begin(Vec theta, bool minibatch) {
  if (open_ || minibatch != minibatch_)
    clear();  // the last pass failed, or was of the other kind (all samples or a minibatch)
  minibatch_ = minibatch;
  open_ = true;
  if (minibatch) return;
  choose_weights(theta);
  newest_ = (newest_ + 1) % points_.size();
  VecHandle& copy = points_[newest_].theta;
  if (!copy) copy = duplicate(theta);
  check(VecCopy(theta, copy.get()));
}

// Nodes are the positions s of earlier parameters along the step from the newest remembered parameters (s =
// 0) to the new parameters (s = 1). A point is used if it lies near that line and not too near to another
// node. Lagrange's weights must stay small, because they multiply the tolerance to which the remembered
// states were solved.
void WarmStart::choose_weights(Vec theta) {
  used_ = std::min<std::size_t>(held_, 1);
  if (held_ == 0) return;
  point(0).weight = 1.0;
  if (held_ == 1) return;
  const VecHandle step = duplicate(theta);
  const VecHandle back = duplicate(theta);
  check(VecWAXPY(step.get(), -1.0, point(0).theta.get(), theta));
  double length2 = 0.0;
  check(VecDot(step.get(), step.get(), &length2));
  if (!(length2 > 0.0)) return;
  std::vector<double> nodes{0.0};
  for (std::size_t age = 1; age < held_; ++age) {
    check(VecWAXPY(back.get(), -1.0, point(0).theta.get(), point(age).theta.get()));
    double along = 0.0;
    double distance2 = 0.0;
    check(VecDot(back.get(), step.get(), &along));
    check(VecDot(back.get(), back.get(), &distance2));
    const double s = along / length2;
    const double off = distance2 / length2 - s * s;
    if (!(std::abs(s - nodes.back()) > 0.2) || s > 0.8 || off > 0.1 * s * s) break;
    nodes.push_back(s);
    std::vector<double> weights;
    double sum = 0.0;
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      double weight = 1.0;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (k != j) weight *= (1.0 - nodes[k]) / (nodes[j] - nodes[k]);
      weights.push_back(weight);
      sum += std::abs(weight);
    }
    if (sum > 20.0) break;
    used_ = nodes.size();
    for (std::size_t j = 0; j < used_; ++j) point(j).weight = weights[j];
  }
}

bool WarmStart::predict(std::size_t block, const Index* samples, Index p, double* out) const {
  if (minibatch_) {
    const auto& known = known_[block];
    if (!std::all_of(samples, samples + p, [&](Index i) { return known[i] != 0; })) return false;
    for (Index c = 0; c < p; ++c)
      std::copy_n(points_[0].blocks[block].data() + samples[c] * rows_, rows_, out + c * rows_);
    return true;
  }
  if (used_ == 0) return false;
  for (Index c = 0; c < p; ++c) {
    double* column = out + c * rows_;
    std::fill_n(column, rows_, 0.0);
    for (std::size_t age = 1; age <= used_;
         ++age) {  // `begin` has added a point, so that the newest one with states has age 1
      const Point& from = point(age);
      const double* x = from.blocks[block].data() + samples[c] * rows_;
      for (Index i = 0; i < rows_; ++i) column[i] += from.weight * x[i];
    }
  }
  return true;
}

void WarmStart::record(std::size_t block, const Index* samples, Index p, const double* in) {
  auto& target = points_[minibatch_ ? 0 : newest_].blocks[block];
  for (Index c = 0; c < p; ++c) {
    std::copy_n(in + c * rows_, rows_, target.data() + samples[c] * rows_);
    if (minibatch_) known_[block][samples[c]] = 1;
  }
}

void WarmStart::end() {
  open_ = false;
  if (!minibatch_) held_ = std::min(held_ + 1, points_.size());
}

namespace {

/// Samples that a rank solves for at one set of parameters. The same number on every rank, so that all ranks
/// choose the same solver and the same panels.
Index samples_at_once(const ParameterLayout& layout, const Problem& problem,
                      const EquilibriumSettings& settings) {
  const Index ranks = layout.grid().sample_ranks();
  const Index all = std::max<Index>(1, (problem.train.total + ranks - 1) / ranks);
  return settings.samples > 0 ? std::min(settings.samples, all) : all;
}

/// The type of the equilibrium solver, from the options or the default, before a solver exists.
std::string equilibrium_type(const EquilibriumMap& map, Index samples) {
  const std::string given = given_option("-eq_snes_type");
  return given.empty() ? EquilibriumSolver::default_type(map, samples) : given;
}

Index panel_for(const ParameterLayout& layout, const EquilibriumMap& map, Index samples) {
  return EquilibriumObjective::default_panel(layout.width() / layout.grid().feature_ranks(),
                                             !is_own_snes(equilibrium_type(map, samples)));
}

AdjointSolver::Defaults default_adjoint(const std::string& type, const EquilibriumMap& map) {
  if (type == snes_mean_field) return {.type = ksp_mean_field};
  if (type == snes_perron) return {.type = ksp_neumann, .preconditioner = pc_perron};
  return {.type = type == snes_picard && map.pointwise_form() ? ksp_neumann : KSPGMRES};
}

}  // namespace

EquilibriumObjective::EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map,
                                           const Problem& problem, const EquilibriumSettings& settings)
    : SampleObjective(layout, problem, map.local_states(), map.local_features(),
                      settings.panel > 0
                          ? settings.panel
                          : panel_for(layout, map, samples_at_once(layout, problem, settings))),
      map_(map),
      settings_(settings) {
  // Created here too: a rank without samples never reaches the code that uses them.
  for (const char* event : {"Equilibrium", "Adjoint", "MeanField"}) (void)LogEvent(event);
  const MPI_Comm comm = layout.grid().feature();
  const Index columns = std::max({panel_width(problem.train.count), panel_width(problem.validation.count),
                                  panel_width(problem.test.count)});
  // A rank without samples makes its solvers too, so that every rank counts their options as used.
  equilibrium_ = std::make_unique<EquilibriumSolver>(comm, map, columns, settings.rtol,
                                                     samples_at_once(layout, problem, settings));
  adjoint_ =
      std::make_unique<AdjointSolver>(comm, map, columns, equilibrium_->rtol(), equilibrium_->mean_field(),
                                      default_adjoint(equilibrium_->type(), map), settings.backward);
  const auto size = static_cast<std::size_t>(map.local_states() * columns);
  injection_.resize(size);
  slopes_.resize(static_cast<std::size_t>(map.slope_rows() * columns));
  lambda_.resize(size);
  if (settings.warm_start) {
    const bool minibatches = settings.samples > 0;
    warm_ = std::make_unique<WarmStart>(map.local_states(), problem.train.count, 2, minibatches ? 1 : 3);
    memory_.resize(size);
  }
  if (settings.jacobian_weight > 0.0) {
    pointwise_ = dynamic_cast<Pointwise*>(&map);
    if (pointwise_ == nullptr)
      throw Error(ExitCode::bad_input, "-jacobian_weight needs a pointwise or monotone model", true);
    for (auto* work : {&probe_, &image_, &delta_}) work->resize(size);
  }
}

Index EquilibriumObjective::default_panel(Index rows, bool krylov) {
  return std::clamp<Index>((krylov ? 65536 : 131072) / std::max<Index>(rows, 1), 16, 512);
}

std::string EquilibriumObjective::gradient_label() const {
  if (settings_.backward.exact()) return "exact";
  return fmt::format("inexact: {} terms of the Neumann series", settings_.backward.terms);
}

void EquilibriumObjective::forget() {
  map_.forget();
  if (warm_) warm_->clear();
}

void EquilibriumObjective::load_network(Vec theta) {
  if (!warm_) map_.forget();  // so that the norms of the weights, too, depend on θ alone
  map_.set_parameters(theta);
  equilibrium_->parameters_changed();
}

void EquilibriumObjective::begin_pass(Vec theta, const Batch& batch) {
  if (warm_) warm_->begin(theta, !batch.all);
}

void EquilibriumObjective::end_pass(Evaluation& result) {
  if (warm_) warm_->end();
  if (settings_.jacobian_weight > 0.0)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &result.penalty, 1, MPI_DOUBLE, MPI_SUM, layout().grid().world()));
}

// Replaces the column of a panel by the number of its sample on this rank: the samples of a minibatch are not
// consecutive.
void EquilibriumObjective::merge(Outcome outcome, const Panel& panel, Outcome& into) {
  if (outcome.worst_sample >= 0) outcome.worst_sample = panel.local[outcome.worst_sample];
  outcome.panel = panel.number;
  into.merge(outcome, 0);
}

void EquilibriumObjective::forward(Panel& panel, bool with_gradient, Evaluation& result) {
  static const LogEvent event("Equilibrium");
  const auto scope = event.begin();
  map_.inject(panel.p, panel.features.data(), injection_.data());
  std::copy_n(injection_.begin(), panel.state.size(),
              panel.state.begin());  // a better start than 0: it is h(0)
  const bool remember = warm_ && panel.training && with_gradient;
  EquilibriumSolver::Memory memory;
  if (remember) memory = {memory_.data(), warm_->predict(states, panel.local, panel.p, memory_.data())};
  const Outcome outcome =
      equilibrium_->solve(panel.p, injection_.data(), panel.state.data(), slopes_.data(), memory);
  if (remember) warm_->record(states, panel.local, panel.p, memory_.data());
  merge(outcome, panel, result.equilibrium);
}

void EquilibriumObjective::backward(Panel& panel, Evaluation& result) {
  static const LogEvent event("Adjoint");
  const auto scope = event.begin();
  if (settings_.jacobian_weight > 0.0) add_penalty(panel, result);
  const bool warm = warm_ && warm_->predict(adjoints, panel.local, panel.p, lambda_.data());
  const Outcome outcome =
      adjoint_->solve(panel.p, slopes_.data(), panel.cotangent.data(), lambda_.data(), warm);
  if (warm_) warm_->record(adjoints, panel.local, panel.p, lambda_.data());
  merge(outcome, panel, result.adjoint);
  map_.add_gradient(panel.p, slopes_.data(), panel.state.data(), panel.features.data(), lambda_.data());
}

// R = c Σ‖w‖² with w = Wᵀ(s∘ε), s = a'(x), x = Wz + u. Its derivative with respect to the W in this formula
// is 2c (s∘ε)wᵀ. Its derivative with respect to the pre-activations x is δ = 2c ε∘a''(x)∘Ww, which propagates
// to all parameters, and by Wᵀδ to the equilibrium.
void EquilibriumObjective::add_penalty(Panel& panel, Evaluation& result) {
  const Index rows = map_.local_states();
  const Index size = rows * panel.p;
  const RowBlockMatrix& weights = map_.pointwise_form()->weights;
  const double c = settings_.jacobian_weight * panel.scale / static_cast<double>(layout().width());
  const CounterRandom random(settings_.seed, Stream::probe);
  const Index first = layout().grid().samples(panel.samples.total).begin;
  for (Index k = 0; k < panel.p; ++k)
    for (Index i = 0; i < rows; ++i)
      probe_[k * rows + i] =
          random.uniform(first + panel.local[k], layout().block().begin + i) < 0.5 ? -1.0 : 1.0;
  for (Index i = 0; i < size; ++i) delta_[i] = (map_.linear() ? 1.0 : slopes_[i]) * probe_[i];
  weights.multiply_transpose(panel.p, delta_.data(), image_.data());
  for (Index i = 0; i < size; ++i) {
    result.penalty += c * image_[i] * image_[i];
    delta_[i] *= 2.0 * c;
  }
  pointwise_->add_weight_gradient(panel.p, delta_.data(), image_.data());
  weights.multiply(panel.p, image_.data(), lambda_.data());
  activation_curvature(pointwise_->shape().activation, size, panel.state.data(), delta_.data());
  for (Index i = 0; i < size; ++i) delta_[i] *= 2.0 * c * probe_[i] * lambda_[i];
  pointwise_->add_preactivation_gradient(panel.p, delta_.data(), panel.state.data(), panel.features.data());
  weights.multiply_transpose(panel.p, delta_.data(), image_.data());
  for (Index i = 0; i < size; ++i) panel.cotangent[i] += image_[i];
}

}  // namespace objective
}  // namespace poise
