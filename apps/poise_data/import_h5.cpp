#include <algorithm>
#include <cmath>
#include <cstdio>

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
  number_labels(raw(content.train), raw(content.test), {0, true}, content);
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
  if (info.test_samples > 0) content.test = whole_rows(data.read_test({0, info.test_samples}));
  if (info.test_samples > 0 && content.test.count == 0)
    warn(path + ": every test row has a missing number: the copy has no test set");
  if (content.train.count == 0) throw bad_input(path + ": every training row has a missing number");
  const Index left_out = info.samples + info.test_samples - content.train.count - content.test.count;
  if (left_out > 0)
    std::fprintf(stderr, "poise: %s: %lld of %lld rows are left out, for they have missing numbers\n",
                 path.c_str(), static_cast<long long>(left_out),
                 static_cast<long long>(info.samples + info.test_samples));
  if (map && !info.classification) throw bad_input(path + ": -map_labels true: it has targets, no labels");
  if (map) map_labels(content);
  if (info.has_teacher) std::fprintf(stderr, "poise: %s: its /teacher is not copied\n", path.c_str());
  Output named = output;
  if (named.source.empty()) named.source = info.source;
  if (named.license.empty()) named.license = info.license;
  return write_split(std::move(content), {}, named);
}

}  // namespace poise::data
