#include "poise/run/training_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/io/checksum.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/run/start_from.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// Collective on the world. Number of samples per class over all ranks. `labels`: the labels of this rank's
/// samples; all ranks of grid.feature() have the same labels.
std::vector<Index> count_classes(const ProcessGrid& grid, Index classes, const std::vector<Index>& labels) {
  std::vector<Index> counts(static_cast<std::size_t>(classes), 0);
  for (const Index label : labels) ++counts[static_cast<std::size_t>(label)];
  check_mpi(
      MPI_Allreduce(MPI_IN_PLACE, counts.data(), mpi_count(classes), MPI_INT64_T, MPI_SUM, grid.sample()));
  return counts;
}

std::vector<double> parse_numbers(const std::string& text) {
  std::vector<double> numbers;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    double number = 0.0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (code != std::errc() || end != word.data() + word.size() || !(number > 0.0) || !std::isfinite(number))
      throw usage("-class_weight " + text + ": '" + word +
                  "' is not a weight; give none, balanced, or one number above 0 per class, as in 1,2.5");
    numbers.push_back(number);
  }
  return numbers;
}

/// Not collective. The weights of the classes by -class_weight. `none` (or empty): an empty result.
/// `balanced`: n/(C n_c), where C is the number of classes with samples; the weights of all samples then sum
/// to n, and the weights of every class to n/C. Else: one number per class. `counts`: number of samples per
/// class, empty for a regression. Throws bad_input.
std::vector<double> parse_class_weights(const std::string& text, const std::vector<Index>& counts) {
  if (text.empty() || text == "none") return {};
  if (counts.empty())
    throw usage("-class_weight " + text +
                ": the data have /targets, not classes (/labels); leave the option out");
  std::vector<double> weights;
  if (text != "balanced") {
    weights = parse_numbers(text);
    if (weights.size() != counts.size())
      throw usage("-class_weight " + text + " has " + std::to_string(weights.size()) + " numbers for " +
                  std::to_string(counts.size()) + " classes: give one number per class");
    return weights;
  }
  const auto samples = static_cast<double>(std::accumulate(counts.begin(), counts.end(), Index{0}));
  const auto present = static_cast<double>(counts.size()) -
                       static_cast<double>(std::count(counts.begin(), counts.end(), Index{0}));
  for (const Index count : counts)
    weights.push_back(count > 0 ? samples / present / static_cast<double>(count) : 1.0);
  return weights;
}

/// q, the number of outputs that a loss needs for these data. Throws bad_input if the loss does not fit them.
Index outputs_for(const Loss& loss, const DatasetInfo& info) {
  const auto refuse = [&](const std::string& why) {
    return Error(ExitCode::bad_input, "-loss " + loss.name() + " on " + info.path + ": " + why, true);
  };
  if (loss.targets() == Targets::classes) {
    if (!info.classification) throw refuse("the data have /targets, not /labels; use -loss squared");
    if (info.outputs < 2) throw refuse("the data have a single class");
  }
  if (loss.targets() == Targets::binary) {
    if (info.classification && info.outputs != 2)
      throw refuse(fmt::format("the data have {} classes, not 2; use -loss cross_entropy", info.outputs));
    if (!info.classification && info.outputs != 1)
      throw refuse(fmt::format("the data have {} target columns, but the loss needs one column of 0 and 1",
                               info.outputs));
    return 1;
  }
  return info.outputs;
}

/// The sum of the marks of all samples of this rank modulo 2^64. The sum over all ranks then does not depend
/// on which rank holds which samples.
std::uint64_t sum_of_marks(const SplitSamples& samples) {
  const SampleBlock& block = samples.block;
  std::uint64_t sum = 0;
  const std::span<const double> features(block.features), targets(block.targets);
  for (Index i = 0; i < block.count; ++i) {
    const std::uint32_t crc = crc32_of(features.subspan(i * block.inputs, block.inputs));
    sum += mark_of(samples.rows[static_cast<std::size_t>(i)], samples.set,
                   crc32_of(targets.subspan(i * block.outputs, block.outputs), crc));
  }
  return sum;
}

/// Collective. This rank's rows of a matrix of a fitted feature map.
std::vector<double> read_feature_block(const Checkpoint& checkpoint, const FeatureBlock& block, Index width,
                                       Range rows) {
  const std::string name = "/features/" + block.name;
  checkpoint.require_dims(name, {width, block.columns});
  std::vector<double> values(static_cast<std::size_t>(rows.size() * block.columns));
  checkpoint.read_rows(name, width, block.columns, rows, values.data(), block.columns);
  return values;
}

/// The data file of a run, as its option -data names it.
std::string data_of(const Checkpoint& checkpoint) {
  for (const auto& [name, value] : checkpoint.config())
    if (name == "data") return value;
  return {};
}

}  // namespace

// A relative path begins at the folder in which the program was started.
std::string find_data(MPI_Comm comm, const std::string& path, const Checkpoint* checkpoint) {
  std::string stored;
  if (checkpoint != nullptr && checkpoint->has("/state", "data_path"))
    stored = checkpoint->text("/state", "data_path");
  std::string found = path;
  on_root(comm, [&] {
    std::error_code code;
    if (std::filesystem::exists(path, code)) return;
    const bool same_name = std::filesystem::path(path).filename() == std::filesystem::path(stored).filename();
    if (same_name && std::filesystem::exists(stored, code)) {
      found = stored;
      return;
    }
    const std::string where = std::filesystem::path(path).is_absolute()
                                  ? std::string()
                                  : ", looked for from " + std::filesystem::current_path(code).string();
    throw bad_input("data file '" + path + "' does not exist" + where +
                    (stored.empty()
                         ? std::string("; give -data FILE")
                         : "; the run was made with " + stored + "; if the file has moved, give -data FILE"));
  });
  return broadcast(comm, found);
}

namespace {

void require_batch(const TrainSettings& settings, Index samples) {
  if (settings.batch > samples)
    throw usage(fmt::format(
        "-batch {} is larger than the {} training samples; choose at most this number, or 0 for all",
        settings.batch, samples));
}

}  // namespace

Index require_fitting(const TrainSettings& settings, const DatasetInfo& info) {
  const Index outputs = outputs_for(*settings.loss, info);
  if (settings.train_samples > info.samples)
    throw usage(fmt::format("-train_samples {}: {} holds only {}", settings.train_samples, settings.data,
                            info.samples));
  require_batch(settings, settings.train_samples > 0 ? settings.train_samples : info.samples);
  return outputs;
}

Features stored_features(const ProcessGrid& grid, const TrainSettings& settings,
                         const Checkpoint& checkpoint) {
  const FeatureMap& map = *settings.features.map;
  FeatureNumbers numbers;
  numbers.width = checkpoint.integer("/features", "width");
  const Index width = numbers.width, inputs = checkpoint.integer("/features", "inputs");
  if (width < 1)
    throw Error(
        ExitCode::bad_input,
        fmt::format("{}: /features has the width {}: the checkpoint is damaged", checkpoint.path(), width),
        true);
  numbers.constant = checkpoint.integer("/features", "constant") != 0;
  const Index fixed = map.fixed_count(inputs);
  if (fixed > 0 && width != fixed + (numbers.constant ? 1 : 0))
    throw Error(ExitCode::bad_input,
                fmt::format("{}: /features has the width {}, which does not fit -features {} of {} inputs",
                            checkpoint.path(), width, map.name(), inputs),
                true);
  const Range rows = block_range(width, grid.feature_ranks(), grid.feature_index());
  for (const FeatureBlock& block : map.blocks(inputs))
    numbers.blocks.push_back(read_feature_block(checkpoint, block, width, rows));
  numbers.mean = checkpoint.read_array("/features/mean", {inputs});
  numbers.standardised =
      checkpoint.has("/features", "standardised") && checkpoint.integer("/features", "standardised") != 0;
  if (checkpoint.has("/features/kept_variance"))
    numbers.kept_variance = checkpoint.read_array("/features/kept_variance", {inputs});
  return {grid, settings.features.map, std::move(numbers)};
}

TargetScale stored_target_scale(const Checkpoint& checkpoint, Index outputs) {
  TargetScale scale;
  if (!checkpoint.has("/targets/shift")) return scale;
  scale.shift = checkpoint.read_array("/targets/shift", {outputs});
  scale.scale = checkpoint.real("/targets", "scale");
  if (!std::isfinite(scale.loss_unit()) || scale.loss_unit() <= 0.0)
    throw usage(checkpoint.path() + ": the scale in /targets is not a positive number");
  return scale;
}

DataNames DataNames::of(const Checkpoint& checkpoint) {
  DataNames names;
  names.known = checkpoint.has("/data", "classes");
  if (!names.known) return names;
  names.class_count = checkpoint.integer("/data", "classes");
  names.inputs = checkpoint.texts("/data/input_names");
  names.targets = checkpoint.texts("/data/target_names");
  names.classes = checkpoint.texts("/data/class_names");
  return names;
}

TrainingData::TrainingData(const ProcessGrid& grid, const TrainSettings& settings,
                           const Checkpoint* checkpoint, const Checkpoint* start)
    : grid_(grid),
      source_(open_samples(grid, settings, find_data(grid.world(), settings.data, checkpoint))),
      info_(source_->info()),
      problem_{.loss = settings.loss, .mean = settings.mean, .outputs = require_fitting(settings, info_)} {
  std::error_code code;
  data_path_ = std::filesystem::absolute(info_.path, code).string();
  teacher_ = source_->read_teacher();
  using Set = SampleSource::Set;
  require_batch(settings, source_->total(Set::train));
  info_.test_samples = source_->total(Set::test);
  SplitSamples train = source_->read(Set::train), validation = source_->read(Set::validation),
               test = source_->read(Set::test);
  take_fingerprint({&train, &validation, &test});
  const Checkpoint* fitted = checkpoint != nullptr ? checkpoint : start;
  if (fitted != nullptr)
    restore_features(settings, *fitted);
  else
    fit_features(settings, train.block);
  if (checkpoint != nullptr)
    require_same_data(*checkpoint);
  else if (start != nullptr)
    require_same_names(*start, info_);
  set_target_scale(settings, train.block, fitted);
  count_classes(train.block, test.block);
  class_weights_ = parse_class_weights(settings.class_weight, train_classes_);
  problem_.train = make_samples(std::move(train), source_->total(Set::train));
  problem_.train.weights = sample_weights();
  problem_.validation = make_samples(std::move(validation), source_->total(Set::validation));
  problem_.test = make_samples(std::move(test), info_.test_samples);
  make_graph();
  require_validation(settings);
  if (problem_.loss->targets() != Targets::binary) return;
  for (const SampleSet* set : {&problem_.train, &problem_.validation, &problem_.test}) require_binary(*set);
}

/// The options that look at the validation samples need such samples.
void TrainingData::require_validation(const TrainSettings& settings) const {
  const std::string option =
      settings.patience > 0 ? fmt::format("-patience {}", settings.patience) : "-validation_measure accuracy";
  const bool by_accuracy = settings.validation_by_accuracy;
  if (settings.patience == 0 && !by_accuracy) return;
  if (problem_.validation.total == 0)
    throw usage(option + ": the run has no validation samples; give " + source_->way_to_validate());
  if (by_accuracy && !info_.classification && problem_.loss->targets() != Targets::binary)
    throw usage(
        "-validation_measure accuracy: the data have /targets, not classes (/labels), so there is no "
        "accuracy; leave the option out");
}

void TrainingData::take_fingerprint(std::initializer_list<const SplitSamples*> sets) {
  // Ranks with the same sample index hold the same samples, so only one of these ranks counts them.
  std::uint64_t sum = 0;
  if (grid_.feature_index() == 0) {
    sum = source_->mark();
    for (const SplitSamples* samples : sets) sum += sum_of_marks(*samples);
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UINT64_T, MPI_SUM, grid_.world()));
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << sum;
  fingerprint_ = text.str();
}

void TrainingData::require_same_data(const Checkpoint& checkpoint) const {
  if (!checkpoint.has("/state", "data_fingerprint")) return;  // an older version stored none
  if (checkpoint.text("/state", "data_fingerprint") == fingerprint_) return;
  throw usage("the samples in " + info_.path + " differ from the samples that the run of " +
              checkpoint.path() + " was made with (-data " + data_of(checkpoint) +
              "); give the file with the old samples by -data");
}

void TrainingData::require_binary(const SampleSet& samples) const {
  agree(grid_.world(), [&] {
    for (const double y : samples.targets)
      if (y != 0.0 && y != 1.0)
        throw bad_input("-loss " + problem_.loss->name() + ": the targets must be 0 or 1, but one is " +
                        to_text(y));
  });
}

// A run of an older version has stored no scale and goes on with unscaled targets.
void TrainingData::set_target_scale(const TrainSettings& settings, const SampleBlock& train,
                                    const Checkpoint* checkpoint) {
  if (checkpoint != nullptr) {
    target_scale_ = stored_target_scale(*checkpoint, problem_.outputs);
    if (target_scale_.is_set() && (info_.classification || !problem_.loss->least_squares()))
      throw usage(checkpoint->path() + ": its weights were trained on scaled targets of a regression, but " +
                  info_.path + " with -loss " + problem_.loss->name() +
                  " is none; begin a new run without it");
  } else if (settings.scale_targets && problem_.loss->least_squares() && !info_.classification) {
    target_scale_ =
        TargetScale::fit(grid_, problem_.outputs, train.count, train.targets.data(), features_->constant());
  }
  problem_.loss_unit = target_scale_.loss_unit();
}

void TrainingData::count_classes(const SampleBlock& train, const SampleBlock& test) {
  if (!info_.classification) return;
  train_classes_ = poise::count_classes(grid_, info_.outputs, train.labels);
  if (info_.test_samples > 0) test_classes_ = poise::count_classes(grid_, info_.outputs, test.labels);
}

std::vector<double> TrainingData::sample_weights() const {
  if (class_weights_.empty()) return {};
  const SampleSet& train = problem_.train;
  std::vector<double> weights;
  for (Index i = 0; i < train.count; ++i) {
    const double* y = train.targets.data() + i * problem_.outputs;
    const Index label = problem_.loss->targets() == Targets::binary
                            ? static_cast<Index>(y[0] > 0.5)
                            : std::max_element(y, y + problem_.outputs) - y;
    weights.push_back(class_weights_[static_cast<std::size_t>(label)]);
  }
  return weights;
}

SampleSet TrainingData::make_samples(SplitSamples samples, Index total) const {
  SampleBlock& block = samples.block;
  SampleSet set{total, block.count, {}, {}};
  if (total == 0) return set;
  if (const GraphRows* graph = source_->graph()) {
    for (const Index node : samples.rows) set.nodes.push_back(node - graph->own.begin);
  } else {
    set.features.resize(static_cast<std::size_t>(features_->rows().size() * block.count));
    features_->apply(block.count, block.features.data(), set.features.data());
  }
  if (problem_.loss->targets() == Targets::binary && info_.classification) {
    set.targets.assign(block.labels.begin(), block.labels.end());
  } else {
    set.targets = std::move(block.targets);
    target_scale_.apply(set.targets);
  }
  return set;
}

void TrainingData::make_graph() {
  const GraphRows* rows = source_->graph();
  if (rows == nullptr) return;
  const SampleBlock nodes = source_->read_fitted();
  graph_ = std::make_unique<GraphNodes>(
      GraphNodes{.rows = *rows, .features = {}, .feature_rows = features_->feature_rows()});
  graph_->features.resize(static_cast<std::size_t>(features_->rows().size() * nodes.count));
  features_->apply(nodes.count, nodes.features.data(), graph_->features.data());
}

void TrainingData::fit_features(const TrainSettings& settings, const SampleBlock& train) {
  const SampleBlock nodes = source_->graph() != nullptr ? source_->read_fitted() : SampleBlock{};
  const SampleBlock& block = source_->graph() != nullptr ? nodes : train;
  features_ = std::make_unique<Features>(
      settings.features.fit(grid_, info_.inputs, block.count, block.features.data()));
}

void TrainingData::restore_features(const TrainSettings& settings, const Checkpoint& checkpoint) {
  features_ = std::make_unique<Features>(stored_features(grid_, settings, checkpoint));
  if (features_->inputs() != info_.inputs)
    throw Error(
        ExitCode::bad_input,
        fmt::format("{}: the run was made with {} inputs (-data {}), but {} has {}", checkpoint.path(),
                    features_->inputs(), data_of(checkpoint), settings.data, info_.inputs),
        true);
}

void TrainingData::save(Snapshot& snapshot) const {
  snapshot.add_text("/state", "data_fingerprint", fingerprint_);
  snapshot.add_text("/state", "data_path", data_path_);
  // The ranks of one feature row block hold the same rows, so every rank writes a part of them.
  features_->save(snapshot, ParameterLayout(grid_, features_->width(), problem_.outputs).slice());
  snapshot.add_integer("/data", "classes", info_.classification ? info_.outputs : 0);
  for (const auto& [axis, names] :
       {std::pair("input", &info_.input_names), std::pair("target", &info_.target_names),
        std::pair("class", &info_.class_names)})
    if (!names->empty()) snapshot.add_texts(fmt::format("/data/{}_names", axis), *names, axis);
  if (target_scale_.is_set()) {
    snapshot.add_real("/targets", "scale", target_scale_.scale);
    snapshot.add_array("/targets/shift", {problem_.outputs}, target_scale_.shift, "output");
  }
}

}  // namespace run
}  // namespace poise
