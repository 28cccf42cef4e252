#include "poise_compare/member.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/run/members.hpp"
#include "poise/run/training_data.hpp"
#include "poise_compare/weight.hpp"

namespace poise::compare {
namespace {

/// W of a collapsed model, on every rank.
std::vector<double> weight_of(CollapsedModel& model, const ParameterLayout& layout, Vec theta) {
  (void)model.set_parameters(theta);
  const Index q = layout.outputs(), rows = layout.slice().size();
  std::vector<double> slice(static_cast<std::size_t>(rows * q));
  transpose(rows, q, model.w(), slice.data());
  return gather_rows(layout, slice.data(), q);
}

/// Not collective. Bytes that this process has allocated and not freed, as the C library counts them; NaN if
/// it does not count (sanitizers replace it).
double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  const double bytes = static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
  return bytes > 0.0 ? bytes : std::numeric_limits<double>::quiet_NaN();
}

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Collective. Bytes that the network and its first gradient allocate and keep, on all ranks together.
/// Measured at the second of two networks: at the first one, libraries also allocate what they keep for good.
double working_bytes(const MemberInput& input, const CompareSettings& settings, const ModelSpec& spec) {
  double grown = 0.0;
  for (int time = 0; time < 2; ++time) {
    const double before = heap_bytes();
    MemberNetwork network(input, settings, spec);
    const VecHandle theta = network.layout().create();
    const VecHandle gradient = duplicate(theta.get());
    network.initialise(theta.get());
    (void)network.objective().value_and_gradient(theta.get(), gradient.get());
    grown = heap_bytes() - before;
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &grown, 1, MPI_DOUBLE, MPI_SUM, input.grid.world()));
  return grown > 0.0 ? grown : none;
}

/// Fills the record of a member, once at every recorded time.
class MemberRecorder {
 public:
  MemberRecorder(const ProcessGrid& grid, const TrainingData& data, MemberNetwork& network,
                 MemberRecord& record)
      : grid_(grid), data_(data), network_(network), record_(record) {}

  void measure(Vec theta, const Evaluation& evaluation) {
    const Problem& problem = data_.problem();
    Score train = evaluation.train, test;
    std::vector<double> w = network_.weight(theta);
    if (!w.empty()) {
      train.accuracy = score_linear(grid_, problem, problem.train, w).accuracy;
      if (problem.test.total > 0) test = score_linear(grid_, problem, problem.test, w);
      record_.weights.push_back(std::move(w));
    } else if (problem.test.total > 0) {
      test = network_.objective().score(theta, problem.test);
    }
    const bool classes = data_.info().classification || problem.loss->targets() == Targets::binary;
    const bool tested = problem.test.total > 0;
    record_.train_loss.push_back(problem.loss_unit * train.loss);
    record_.test_loss.push_back(tested ? problem.loss_unit * test.loss : none);
    record_.train_accuracy.push_back(classes ? train.accuracy : none);
    record_.test_accuracy.push_back(classes && tested ? test.accuracy : none);
  }

 private:
  const ProcessGrid& grid_;
  const TrainingData& data_;
  MemberNetwork& network_;
  MemberRecord& record_;
};

/// Not by an Experiment, which has one end: this flow ends a step at every recorded time.
void follow_flow(MemberNetwork& network, const CompareSettings& settings, MemberRecorder& recorder,
                 MemberRecord& record, Interruptions& requests) {
  const std::vector<double> times = settings.times();
  const VecHandle theta = network.layout().create();
  network.initialise(theta.get());
  Flow flow(network.objective(), theta.get(), times.front(), settings.steps);
  flow.scale_tolerances(network.layout());
  DynamicsState state;
  Evaluation last;
  bool stopped = false;
  const Observer keep = [&](const DynamicsState&, Vec, Vec, const Evaluation& evaluation) {
    last = evaluation;
    stopped = requests.poll().stop != Interruptions::Stop::no;
    return !stopped;
  };
  for (const double time : times) {
    const double start = steady_seconds();
    flow.set_end_time(time);
    const StopReason reason = flow.run(theta.get(), state, keep);
    if (stopped) throw MemberStopped();
    if (reason != StopReason::reached_time)
      throw Error(ExitCode::failed,
                  fmt::format("the flow is at t = {} after {} steps, but must reach t = {}: raise -steps, or "
                              "end earlier (-time)",
                              to_text(state.t), state.step, to_text(times.back())),
                  true);
    record.seconds += steady_seconds() - start;
    recorder.measure(theta.get(), last);
  }
  record.gradients = static_cast<double>(state.gradients);
  record.steps = static_cast<double>(state.step);
}

void append(std::vector<double>& to, const std::vector<double>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

MemberNetwork::MemberNetwork(const MemberInput& input, const CompareSettings& settings, const ModelSpec& spec)
    : settings_(settings),
      spec_(spec),
      seed_(input.seed),
      network_(input.grid, settings.member(spec, input.features), input.problem, input.features),
      start_(starts_from_w0() ? initial_weight(input, settings) : std::vector<double>{}) {}

bool MemberNetwork::starts_from_w0() const {
  return spec_.kind == ModelSpec::Kind::shallow ||
         (spec_.kind == ModelSpec::Kind::feedforward && spec_.linear() && settings_.matched);
}

void MemberNetwork::initialise(Vec theta) const {
  layout().initialise(theta, seed_, 1.0, settings_.init_scale_b);  // the scales of A and V are in the layout
  if (!starts_from_w0()) return;
  for (const ParameterBlock& block : layout().blocks()) set_identity(layout(), block, theta);
  set_readout(layout(), start_, theta);
}

std::vector<double> MemberNetwork::weight(Vec theta) {
  if (!spec_.linear()) return {};
  if (spec_.kind == ModelSpec::Kind::implicit) return weight_of(*network_.collapsed(), layout(), theta);
  const std::vector<double> rows = gather_parameters(layout(), theta);
  if (spec_.kind == ModelSpec::Kind::shallow) return readout_of(layout(), rows);
  if (spec_.kind == ModelSpec::Kind::unrolled)
    return unrolled_weight(layout(), rows, settings_.gamma, spec_.depth);
  return feedforward_weight(layout(), rows, spec_.depth);
}

/// Builds the layout and the collapsed model alone. The whole Network of the implicit model would also factor
/// all samples for its loss, which W0 does not need.
std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings) {
  const Index m = input.features;
  const ParameterLayout layout(input.grid, m, input.problem.outputs, {{.name = "A", .columns = m}},
                               settings.problem.matrix_type);
  CollapsedModel model(layout, settings.gamma);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), input.seed, settings.init_scale_a, settings.init_scale_b);
  return weight_of(model, layout, theta.get());
}

std::vector<double> MemberRecord::packed() const {
  std::vector<double> values{parameters, gradients, steps, seconds, working_bytes};
  for (const auto* column : {&train_loss, &test_loss, &train_accuracy, &test_accuracy})
    append(values, *column);
  for (const auto& w : weights) append(values, w);
  return values;
}

MemberRecord MemberRecord::unpacked(const std::vector<double>& values, std::size_t times,
                                    std::size_t weight_size) {
  constexpr std::size_t numbers = 5, columns = 4;
  if (values.size() != numbers + times * (columns + weight_size))
    throw failure(fmt::format("a member of the study has returned {} numbers", values.size()));
  MemberRecord r;
  auto from = values.begin();
  for (double* number : {&r.parameters, &r.gradients, &r.steps, &r.seconds, &r.working_bytes})
    *number = *from++;
  const auto take = [&](std::size_t count) {
    std::vector<double> part(from, from + static_cast<std::ptrdiff_t>(count));
    from += static_cast<std::ptrdiff_t>(count);
    return part;
  };
  for (auto* column : {&r.train_loss, &r.test_loss, &r.train_accuracy, &r.test_accuracy})
    *column = take(times);
  if (weight_size > 0)
    for (std::size_t k = 0; k < times; ++k) r.weights.push_back(take(weight_size));
  return r;
}

MemberRecord run_member(MPI_Comm comm, const CompareSettings& settings, const ModelSpec& spec,
                        std::uint64_t seed, Interruptions& requests) {
  const ProcessGrid grid(comm);
  const TrainingData data(grid, settings.problem, nullptr);
  const MemberInput input{grid, data.problem(), data.features().width(), seed};
  MemberRecord record;
  record.working_bytes = working_bytes(input, settings, spec);
  MemberNetwork network(input, settings, spec);
  record.parameters = static_cast<double>(network.layout().width() * network.layout().row_length());
  MemberRecorder recorder(grid, data, network, record);
  follow_flow(network, settings, recorder, record, requests);
  return record;
}

Score score_linear(const ProcessGrid& grid, const Problem& problem, const SampleSet& samples,
                   const std::vector<double>& w) {
  const Index q = problem.outputs, m = static_cast<Index>(w.size()) / q;
  std::vector<double> outputs(static_cast<std::size_t>(q * samples.count));
  gemm('N', 'N', q, samples.count, m, 1.0, w.data(), q, samples.features.data(), m, 0.0, outputs.data(), q);
  const LossSum sum = sum_over_samples(
      grid, problem.loss->evaluate(q, samples.count, outputs.data(), samples.targets.data(), nullptr));
  return {problem.scale(samples.total) * sum.loss,
          static_cast<double>(sum.correct) / static_cast<double>(samples.total)};
}

}  // namespace poise::compare
