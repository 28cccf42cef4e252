#include "poise/objective/sample_objective.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/objective/objective.hpp"

namespace poise {
inline namespace objective {

SampleObjective::SampleObjective(const ParameterLayout& layout, const Problem& problem, Index state_rows,
                                 Index feature_rows, Index panel)
    : layout_(layout),
      problem_(problem),
      state_rows_(state_rows),
      feature_rows_(feature_rows),
      panel_(panel),
      readout_(static_cast<std::size_t>(layout.block().size() * layout.outputs())),
      readout_gradient_(readout_.size()),
      slice_(static_cast<std::size_t>(layout.slice().size() * layout.outputs())),
      all_train_(indices({0, problem.train.count})) {}

namespace {

/// Width of a panel if `count` columns are cut into the fewest panels of equal width, none wider than `most`.
Index equal_width(Index count, Index most) {
  const Index number = (count + most - 1) / most;
  return number > 0 ? (count + number - 1) / number : 1;
}

}  // namespace

Index SampleObjective::panel_width(Index count) const {
  return equal_width(count, panel_);
}

void SampleObjective::load_parameters(Vec theta, Index drawn_step) {
  drawn_step_ = drawn_step;
  load_network(theta);
  const Index q = layout_.outputs();
  {
    const ReadArray values(theta);
    for (Index i = 0; i < layout_.slice().size(); ++i)
      std::copy_n(values.data() + i * layout_.row_length() + layout_.readout_offset(), q,
                  slice_.data() + i * q);
  }
  layout_.gather_block(slice_.data(), q, readout_.data());
}

void SampleObjective::write_gradient(Vec gradient) {
  const Index q = layout_.outputs();
  write_network_gradient(gradient);
  layout_.reduce_block(readout_gradient_.data(), q, slice_.data());
  WriteArray values(gradient);
  for (Index i = 0; i < layout_.slice().size(); ++i)
    std::copy_n(slice_.data() + i * q, q,
                values.data() + i * layout_.row_length() + layout_.readout_offset());
}

void SampleObjective::read_out(const Panel& panel) {
  const Index q = layout_.outputs();
  outputs_.resize(static_cast<std::size_t>(q * panel.p));
  gemm('N', 'N', q, panel.p, state_rows_, 1.0, readout_.data(), q, panel.state.data(), state_rows_, 0.0,
       outputs_.data(), q);
  if (layout_.grid().feature_ranks() > 1)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, outputs_.data(), mpi_count(q * panel.p), MPI_DOUBLE, MPI_SUM,
                            layout_.grid().feature()));
}

void SampleObjective::read_out_backward(Panel& panel) {
  const Index q = layout_.outputs();
  gemm('N', 'T', q, state_rows_, panel.p, panel.scale, outputs_.data(), q, panel.state.data(), state_rows_,
       1.0, readout_gradient_.data(), q);
  gemm('T', 'N', state_rows_, panel.p, q, panel.scale, readout_.data(), q, outputs_.data(), q, 0.0,
       panel.cotangent.data(), state_rows_);
}

const double* SampleObjective::panel_weights(const Panel& panel) {
  if (panel.samples.weights.empty()) return nullptr;
  weights_.resize(static_cast<std::size_t>(panel.p));
  for (Index c = 0; c < panel.p; ++c) weights_[c] = panel.samples.weights[panel.local[c]];
  return weights_.data();
}

LossSum SampleObjective::pass(Panel& panel, const std::vector<Index>& local, bool with_gradient,
                              Evaluation& result) {
  const Index q = layout_.outputs();
  const auto count = static_cast<Index>(local.size());
  // The panels of a minibatch are no wider than the panels of the whole set, which subclasses have allocated
  // memory for.
  const Index width = equal_width(count, panel_width(panel.samples.count));
  LossSum sum;
  for (Index first = 0; first < count; first += width) {
    panel.number = first / width;
    panel.local = local.data() + first;
    panel.p = std::min(width, count - first);
    panel.features.resize(static_cast<std::size_t>(feature_rows_ * panel.p));
    panel.state.resize(static_cast<std::size_t>(state_rows_ * panel.p));
    panel.cotangent.resize(panel.state.size());
    targets_.resize(static_cast<std::size_t>(q * panel.p));
    for (Index c = 0; c < panel.p; ++c) {
      std::copy_n(panel.samples.features.data() + panel.local[c] * feature_rows_, feature_rows_,
                  panel.features.data() + c * feature_rows_);
      std::copy_n(panel.samples.targets.data() + panel.local[c] * q, q, targets_.data() + c * q);
    }
    const double* weights = panel_weights(panel);
    forward(panel, with_gradient, result);
    if (!result.equilibrium.usable()) break;
    read_out(panel);
    const LossSum part = problem_.loss->evaluate(q, panel.p, outputs_.data(), targets_.data(),
                                                 with_gradient ? outputs_.data() : nullptr, weights);
    sum.loss += part.loss;
    sum.correct += part.correct;
    if (!with_gradient) continue;
    read_out_backward(panel);
    backward(panel, result);
    if (!result.adjoint.usable()) break;
  }
  // The ranks of one grid.feature() leave the loop together; here the ranks of every other grid.feature()
  // learn of a failure.
  require_on_all(layout_.grid().world(), result.equilibrium);
  if (with_gradient) require_on_all(layout_.grid().world(), result.adjoint);
  return sum_over_samples(layout_.grid(), sum);
}

Score SampleObjective::scaled(Index total, const LossSum& sum) const {
  return {problem_.scale(total) * sum.loss, static_cast<double>(sum.correct) / static_cast<double>(total)};
}

Evaluation SampleObjective::value_and_gradient(Vec theta, Vec gradient, const Batch& batch) {
  Evaluation result;
  load_parameters(theta, batch.step);
  clear_network_gradient();
  std::fill(readout_gradient_.begin(), readout_gradient_.end(), 0.0);
  begin_pass(theta, batch);
  const Index total = batch.all ? problem_.train.total : batch.total;
  Panel panel{problem_.train, nullptr, 0, 0, true, problem_.scale(total), {}, {}, {}};
  const LossSum sum = pass(panel, batch.all ? all_train_ : batch.local, true, result);
  result.train = scaled(total, sum);
  require_finite_loss(result.train.loss);
  write_gradient(gradient);
  end_pass(result);
  return result;
}

Score SampleObjective::score(Vec theta, const SampleSet& samples) {
  if (samples.total == 0) return {};
  Evaluation result;
  load_parameters(theta);
  Panel panel{samples, nullptr, 0, 0, false, problem_.scale(samples.total), {}, {}, {}};
  return scaled(samples.total, pass(panel, indices({0, samples.count}), false, result));
}

void SampleObjective::predict(Index count, const double* features, Prediction& prediction) {
  const Index q = layout_.outputs();
  prediction.outputs.resize(static_cast<std::size_t>(q * count));
  prediction.residuals.resize(static_cast<std::size_t>(count));
  prediction.solved.resize(static_cast<std::size_t>(count));
  const Index width = equal_width(count, panel_width(problem_.train.count));
  const std::vector<Index> numbers = indices({0, count});
  Panel panel{problem_.train, nullptr, 0, 0, false, 1.0, {}, {}, {}};
  Evaluation ignored;  // its outcome is that of the worst sample; here every sample counts by itself
  for (Index first = 0; first < count; first += width) {
    panel.number = first / width;
    panel.local = numbers.data() + first;
    panel.p = std::min(width, count - first);
    panel.features.assign(features + first * feature_rows_, features + (first + panel.p) * feature_rows_);
    panel.state.resize(static_cast<std::size_t>(state_rows_ * panel.p));
    forward(panel, false, ignored);
    read_out(panel);
    std::copy_n(outputs_.begin(), q * panel.p, prediction.outputs.begin() + first * q);
    for (Index c = 0; c < panel.p; ++c) {
      prediction.residuals[first + c] = residual(c);
      prediction.solved[first + c] = static_cast<char>(solved(c));
    }
  }
}

}  // namespace objective
}  // namespace poise
