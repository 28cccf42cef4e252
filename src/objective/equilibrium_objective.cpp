#include "poise/objective/equilibrium_objective.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/objective/finite.hpp"

namespace poise {

EquilibriumObjective::EquilibriumObjective(const ParameterLayout& layout, EquilibriumMap& map,
                                           const Problem& problem, Index panel, double rtol)
    : layout_(layout), map_(map), problem_(problem) {
  train_ = make_panels(problem.train, panel, rtol, true);
  test_ = make_panels(problem.test, panel, rtol, false);
  readout_.resize(static_cast<std::size_t>(layout.block().size() * layout.outputs()));
  readout_gradient_.resize(readout_.size());
}

Index EquilibriumObjective::default_panel(Index rows) {
  return std::clamp<Index>(65536 / std::max<Index>(rows, 1), 16, 512);
}

EquilibriumObjective::Panels EquilibriumObjective::make_panels(const SampleSet& samples, Index panel,
                                                               double rtol, bool with_adjoint) {
  Panels panels;
  panels.count = samples.count;
  // A rank without samples still makes its solvers, so that their options count as used on every rank.
  panels.number = (samples.count + panel - 1) / panel;
  panels.columns = panels.number > 0 ? (samples.count + panels.number - 1) / panels.number : 1;
  const MPI_Comm comm = layout_.grid().feature();
  panels.equilibrium = std::make_unique<EquilibriumSolver>(comm, map_, panels.columns, rtol);
  const auto size = static_cast<std::size_t>(map_.local_states() * panels.columns);
  panels.injection.resize(size);
  panels.z.resize(size);
  panels.outputs.resize(static_cast<std::size_t>(layout_.outputs() * panels.columns));
  if (with_adjoint) {
    panels.adjoint = std::make_unique<AdjointSolver>(comm, map_, panels.columns, panels.equilibrium->rtol());
    panels.rhs.resize(size);
    panels.lambda.resize(size);
  }
  return panels;
}

void EquilibriumObjective::load_parameters(Vec theta) {
  map_.set_parameters(theta);
  const Index rows = layout_.slice().size();
  const Index q = layout_.outputs();
  std::vector<double> slice(static_cast<std::size_t>(rows * q));
  {
    const ReadArray values(theta);
    for (Index i = 0; i < rows; ++i)
      std::copy_n(values.data() + i * layout_.row_length() + layout_.width(), q, slice.data() + i * q);
  }
  layout_.gather_block(slice.data(), q, readout_.data());
}

void EquilibriumObjective::forward(Panels& panels, const SampleSet& samples, Range range, Outcome& outcome) {
  static const LogEvent event("Equilibrium");
  const auto scope = event.begin();
  const Index rows = map_.local_states();
  const Index q = layout_.outputs();
  std::copy_n(samples.features.data() + range.begin * rows, range.size() * rows, panels.injection.data());
  std::fill(panels.injection.begin() + range.size() * rows, panels.injection.end(), 0.0);
  panels.z = panels.injection;  // the injection is a better start than zero: it is h(0)
  outcome.merge(panels.equilibrium->solve(panels.injection.data(), panels.z.data()), range.begin);

  gemm('N', 'N', q, panels.columns, rows, 1.0, readout_.data(), q, panels.z.data(), rows, 0.0,
       panels.outputs.data(), q);
  if (layout_.grid().feature_ranks() > 1)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, panels.outputs.data(),
                            mpi_count(static_cast<Index>(panels.outputs.size())), MPI_DOUBLE, MPI_SUM,
                            layout_.grid().feature()));
}

void EquilibriumObjective::backward(Panels& panels, const SampleSet& samples, Range range, Outcome& outcome) {
  static const LogEvent event("Adjoint");
  const auto scope = event.begin();
  const Index rows = map_.local_states();
  const Index q = layout_.outputs();
  const double* residuals = panels.outputs.data();  // ∇ℓ, zero in padded columns
  const double s = problem_.scale(samples.total);
  gemm('N', 'T', q, rows, panels.columns, s, residuals, q, panels.z.data(), rows, 1.0,
       readout_gradient_.data(), q);
  gemm('T', 'N', rows, panels.columns, q, s, readout_.data(), q, residuals, q, 0.0, panels.rhs.data(), rows);
  outcome.merge(panels.adjoint->solve(panels.z.data(), panels.rhs.data(), panels.lambda.data()), range.begin);
  map_.add_gradient(panels.columns, panels.z.data(), panels.lambda.data());
}

void EquilibriumObjective::write_gradient(Vec gradient) {
  const Index rows = layout_.slice().size();
  const Index q = layout_.outputs();
  map_.write_gradient(gradient);
  std::vector<double> slice(static_cast<std::size_t>(rows * q));
  layout_.reduce_block(readout_gradient_.data(), q, slice.data());
  WriteArray values(gradient);
  for (Index i = 0; i < rows; ++i)
    std::copy_n(slice.data() + i * q, q, values.data() + i * layout_.row_length() + layout_.width());
}

Score EquilibriumObjective::pass(Panels& panels, const SampleSet& samples, bool with_gradient,
                                 Evaluation& result) {
  const Index q = layout_.outputs();
  LossSum sum;
  for (Index k = 0; k < panels.number; ++k) {
    const Range range = block_range(panels.count, static_cast<int>(panels.number), static_cast<int>(k));
    forward(panels, samples, range, result.equilibrium);
    if (!result.equilibrium.converged) break;
    const LossSum part = evaluate_loss(problem_.loss, q, range.size(), panels.outputs.data(),
                                       samples.targets.data() + range.begin * q,
                                       with_gradient ? panels.outputs.data() : nullptr);
    sum.loss += part.loss;
    sum.correct += part.correct;
    if (!with_gradient) continue;
    std::fill(panels.outputs.begin() + range.size() * q, panels.outputs.end(), 0.0);
    backward(panels, samples, range, result.adjoint);
    if (!result.adjoint.converged) break;
  }
  // Ranks of one grid.feature() leave the loop together; here the others learn of a failure.
  require_on_all(layout_.grid().world(), result.equilibrium);
  if (with_gradient) require_on_all(layout_.grid().world(), result.adjoint);
  const LossSum total = sum_over_samples(layout_.grid(), sum);
  return {problem_.scale(samples.total) * total.loss,
          static_cast<double>(total.correct) / static_cast<double>(samples.total)};
}

Evaluation EquilibriumObjective::value_and_gradient(Vec theta, Vec gradient) {
  Evaluation result;
  load_parameters(theta);
  map_.clear_gradient();
  std::fill(readout_gradient_.begin(), readout_gradient_.end(), 0.0);
  result.train = pass(train_, problem_.train, true, result);
  require_finite_loss(result.train.loss);
  write_gradient(gradient);
  return result;
}

Score EquilibriumObjective::test(Vec theta) {
  if (problem_.test.total == 0) return {};
  Evaluation result;
  load_parameters(theta);
  return pass(test_, problem_.test, false, result);
}

}  // namespace poise
