#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise_data/poise_data.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

bool is_whole(const SampleBlock& block, Index row) {
  const auto finite = [](const std::vector<double>& values, Index first, Index count) {
    return std::all_of(values.begin() + first, values.begin() + first + count,
                       [](double x) { return std::isfinite(x); });
  };
  if (!finite(block.features, row * block.inputs, block.inputs)) return false;
  if (!block.labels.empty()) return block.labels[static_cast<std::size_t>(row)] >= 0;
  return finite(block.targets, row * block.outputs, block.outputs);
}

/// The rows without a missing number.
SampleBlock whole_rows(const SampleBlock& all) {
  SampleBlock kept{0, 0, all.inputs, all.outputs, {}, {}, {}};
  for (Index row = 0; row < all.count; ++row) {
    if (!is_whole(all, row)) continue;
    const auto copy = [row](std::vector<double>& to, const std::vector<double>& from, Index width) {
      to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
    };
    copy(kept.features, all.features, all.inputs);
    if (!all.labels.empty())
      kept.labels.push_back(all.labels[static_cast<std::size_t>(row)]);
    else
      copy(kept.targets, all.targets, all.outputs);
    ++kept.count;
  }
  return kept;
}

/// Numbers the classes that have samples 0, 1, 2, ...; each keeps its name, which is its old number if it has
/// none.
void map_labels(DatasetContent& content) {
  const std::vector<std::string> names = std::move(content.class_names);
  const auto raw = [](const SampleBlock& block) {
    RawLabels labels;
    for (const Index label : block.labels) {
      labels.texts.push_back(std::to_string(label));
      labels.where.emplace_back();
    }
    return labels;
  };
  // All sets have the same numbers: the validation samples are numbered behind the test samples.
  RawLabels held_out = raw(content.test), validation = raw(content.validation);
  held_out.texts.insert(held_out.texts.end(), validation.texts.begin(), validation.texts.end());
  held_out.where.insert(held_out.where.end(), validation.where.begin(), validation.where.end());
  number_labels(raw(content.train), held_out, {0, true}, content);
  std::vector<Index>& numbers = content.test.labels;
  content.validation.labels.assign(numbers.begin() + content.test.count, numbers.end());
  numbers.resize(static_cast<std::size_t>(content.test.count));
  if (names.empty()) return;
  for (std::string& name : content.class_names) name = names[static_cast<std::size_t>(std::stoll(name))];
}

}  // namespace

DatasetInfo import_h5(Options& options, bool declare_only) {
  const Options::Category category(options, "h5");
  const std::string path = options.text("h5", "", "a data file (HDF5) to copy, its numbers unpacked");
  const bool drop = options.flag("drop_missing", false, "leave out rows with a missing number or label");
  const bool map =
      options.flag("map_labels", false,
                   "number the classes that have samples 0, 1, 2, ... and keep their old numbers as names");
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  require_output(output);
  const Dataset data(MPI_COMM_SELF, path, drop ? Missing::keep : Missing::refuse, Answers::optional);
  const DatasetInfo& info = data.info();
  DatasetContent content;
  content.source = info.source;
  content.license = info.license;
  content.input_names = info.input_names;
  content.target_names = info.target_names;
  content.class_names = info.class_names;
  content.train = whole_rows(data.read_train({0, info.samples}));
  for (const auto& [prefix, set] :
       {std::pair("validation_", &content.validation), std::pair("test_", &content.test)}) {
    const Index rows = set_info(info, prefix).samples;
    if (rows > 0) *set = whole_rows(data.read({0, rows}, prefix));
    if (rows > 0 && set->count == 0)
      warn(fmt::format("{}: every row of /{}features has a missing number: the copy has no such set", path,
                       prefix));
  }
  if (content.train.count == 0) throw bad_input(path + ": every training row has a missing number");
  const Index rows = info.samples + info.validation_samples + info.test_samples;
  const Index left_out = rows - content.train.count - content.validation.count - content.test.count;
  if (left_out > 0)
    std::fprintf(stderr, "poise: %s: %lld of %lld rows are left out, for they have missing numbers\n",
                 path.c_str(), static_cast<long long>(left_out), static_cast<long long>(rows));
  if (map && !info.classification) throw bad_input(path + ": -map_labels true: it has targets, no labels");
  if (map) map_labels(content);
  if (info.has_teacher) std::fprintf(stderr, "poise: %s: its /teacher is not copied\n", path.c_str());
  Output named = output;
  if (named.source.empty()) named.source = info.source;
  if (named.license.empty()) named.license = info.license;
  return write_split(std::move(content), {}, named);
}

}  // namespace poise::data
