#include "poise_data/poise_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/pieces.hpp"
#include "poise/base/random.hpp"
#include "poise/io/dataset_writer.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

constexpr Index block_values = 1 << 20;  // 8 MB of features at a time

std::uint64_t counter(Index i) {
  return static_cast<std::uint64_t>(i);
}

/// W = G H / √(r d): the rows of H are numbered after those of G.
std::vector<double> make_teacher_of_rank(const SyntheticProblem& p) {
  const CounterRandom random(p.seed, Stream::synthetic_teacher);
  const double scale = 1.0 / std::sqrt(static_cast<double>(p.teacher_rank * p.inputs));
  std::vector<double> teacher(static_cast<std::size_t>(p.outputs * p.inputs), 0.0);
  for (Index r = 0; r < p.teacher_rank; ++r)
    for (Index k = 0; k < p.outputs; ++k) {
      const double g = scale * random.normal(counter(k), counter(r));
      for (Index j = 0; j < p.inputs; ++j)
        teacher[static_cast<std::size_t>(k * p.inputs + j)] +=
            g * random.normal(counter(p.outputs + r), counter(j));
    }
  return teacher;
}

/// W, row-major; every rank makes its own copy of the same numbers.
std::vector<double> make_teacher(const SyntheticProblem& p) {
  if (p.teacher_rank > 0) return make_teacher_of_rank(p);
  const CounterRandom random(p.seed, Stream::synthetic_teacher);
  const double scale = 1.0 / std::sqrt(static_cast<double>(p.inputs));
  std::vector<double> teacher;
  teacher.reserve(static_cast<std::size_t>(p.outputs * p.inputs));
  for (Index k = 0; k < p.outputs; ++k)
    for (Index j = 0; j < p.inputs; ++j) teacher.push_back(scale * random.normal(counter(k), counter(j)));
  return teacher;
}

/// Rows [begin, begin + count); row i is sample i + `offset` of the random streams.
SampleBlock make_block(const SyntheticProblem& p, const std::vector<double>& teacher, Range rows,
                       Index offset) {
  const CounterRandom inputs(p.seed, Stream::synthetic_inputs);
  const CounterRandom noise(p.seed, Stream::synthetic_noise);
  SampleBlock block{rows.begin, rows.size(), p.inputs, p.outputs, {}, {}, {}};
  for (Index i = rows.begin + offset; i < rows.end + offset; ++i) {
    for (Index j = 0; j < p.inputs; ++j) block.features.push_back(inputs.normal(counter(i), counter(j)));
    const auto x = block.features.end() - p.inputs;
    for (Index k = 0; k < p.outputs; ++k)
      block.targets.push_back(
          std::inner_product(x, block.features.end(), teacher.begin() + k * p.inputs, 0.0) +
          p.noise * noise.normal(counter(i), counter(k)));
    if (!p.classification) continue;
    block.labels.push_back(std::max_element(block.targets.begin(), block.targets.end()) -
                           block.targets.begin());
    block.targets.clear();
  }
  return block;
}

}  // namespace

DatasetInfo write_synthetic(MPI_Comm comm, const SyntheticProblem& p, DatasetInfo info) {
  info.samples = p.samples;
  info.test_samples = p.test_samples;
  info.inputs = p.inputs;
  info.outputs = p.outputs;
  info.classification = p.classification;
  info.has_teacher = true;
  info.feature_type = "float64";
  std::vector<double> teacher;
  agree(comm, [&] { teacher = make_teacher(p); });
  DatasetWriter writer(comm, info);
  writer.write_matrix("teacher", p.outputs, p.inputs, teacher, "target input");
  const Index block_rows = std::max<Index>(1, block_values / (p.inputs + p.outputs));
  for_pieces(comm, own_block(comm, p.samples), block_rows,
             [&](Range rows) { writer.write_train(make_block(p, teacher, rows, 0)); });
  for_pieces(comm, own_block(comm, p.test_samples), block_rows,
             [&](Range rows) { writer.write_test(make_block(p, teacher, rows, p.samples)); });
  writer.commit();
  return info;
}

DatasetInfo synthetic_dataset(MPI_Comm comm, Options& options, bool declare_only) {
  const Options::Category category(options, "synthetic");
  SyntheticProblem p;
  p.samples = options.integer("samples", 1000, {1}, "number of training samples n");
  p.test_samples = options.integer("test_samples", 0, {0}, "number of test samples");
  p.inputs = options.integer("inputs", 20, {1}, "number of features d");
  p.outputs = options.integer("outputs", 1, {1}, "number of targets or classes q");
  p.teacher_rank = options.integer("teacher_rank", 0, {0}, "rank of the linear teacher; 0: full rank");
  p.noise = options.real("noise", 0, {0}, "standard deviation of the noise of the targets");
  p.seed = static_cast<std::uint64_t>(options.integer("seed", 0, {0}, "seed of the random numbers"));
  // In `import`, -classes is a number; here it is a flag.
  if (!declare_only)
    p.classification = options.flag("classes", false, "write labels, the argmax of the targets");
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  if (p.classification && p.outputs < 2)
    throw Error(ExitCode::bad_input, "option -classes needs at least two classes: give -outputs 2 or more",
                true);
  if (p.teacher_rank > std::min(p.inputs, p.outputs))
    throw Error(
        ExitCode::bad_input,
        fmt::format("option -teacher_rank {}: a teacher of {} inputs and {} outputs has no such rank; "
                    "give at most {}, or 0 for the full one",
                    p.teacher_rank, p.inputs, p.outputs, std::min(p.inputs, p.outputs)),
        true);
  on_root(comm, [&] { require_output(output); });

  DatasetInfo info;
  info.path = output.path;
  info.name = output.name;
  info.license = output.license;
  info.source = output.source.empty()
                    ? fmt::format("poise-data synthetic, noise {}, seed {}", to_text(p.noise), p.seed)
                    : output.source;
  return write_synthetic(comm, p, info);
}

}  // namespace poise::data
