#include "poise_compare/member.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/run/training_data.hpp"
#include "poise_compare/heap.hpp"
#include "poise_compare/member_network.hpp"

namespace poise::compare {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Collective. Bytes that the objective and its first gradient allocate and keep, on all ranks together. A
/// first one, thrown away, makes libraries allocate what they keep for good.
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

/// Fills the record while the flow is at its recorded times.
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
      test = network_.objective().test(theta);
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
                 MemberRecord& record) {
  const std::vector<double> times = settings.times();
  const VecHandle theta = network.layout().create();
  network.initialise(theta.get());
  Flow flow(network.objective(), theta.get(), times.front(), settings.steps);
  flow.scale_tolerances(network.layout());
  DynamicsState state;
  Evaluation last;
  const Observer keep = [&](const DynamicsState&, Vec, Vec, const Evaluation& evaluation) {
    last = evaluation;
    return true;
  };
  for (const double time : times) {
    const double start = steady_seconds();
    flow.set_end_time(time);
    if (flow.run(theta.get(), state, keep) != StopReason::reached_time)
      throw Error(ExitCode::failed,
                  "the flow stands at t = " + to_text(state.t) + " after " + std::to_string(state.step) +
                      " steps, its end is " + to_text(times.back()) +
                      ": raise -steps, or end earlier (-time)",
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
    throw failure("a member of the study has returned " + std::to_string(values.size()) + " numbers");
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
                        std::uint64_t seed) {
  const ProcessGrid grid(comm);
  const TrainingData data(grid, settings.problem, nullptr);
  const MemberInput input{grid, data.problem(), data.features().width(), seed};
  MemberRecord record;
  record.working_bytes = working_bytes(input, settings, spec);
  MemberNetwork network(input, settings, spec);
  record.parameters = static_cast<double>(network.layout().width() * network.layout().row_length());
  MemberRecorder recorder(grid, data, network, record);
  follow_flow(network, settings, recorder, record);
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
