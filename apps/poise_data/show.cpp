#include "poise_data/poise_data.hpp"

#include <algorithm>
#include <limits>
#include <sstream>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/text.hpp"
#include "poise/io/dataset.hpp"

namespace poise::data {
namespace {

struct Column {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
  }
};

struct Statistics {
  std::vector<Column> features, targets;
  std::vector<Index> class_counts;
};

Statistics scan(const Dataset& data, const std::string& prefix) {
  const DatasetInfo& info = data.info();
  Statistics s;
  s.features.resize(static_cast<std::size_t>(info.inputs));
  s.targets.resize(static_cast<std::size_t>(info.classification ? 0 : info.outputs));
  s.class_counts.resize(static_cast<std::size_t>(info.classification ? info.outputs : 0));
  const Index n = set_info(info, prefix).samples;
  constexpr Index block_values = 1 << 20;
  const Index block_rows = std::max<Index>(1, block_values / (info.inputs + info.outputs));
  const auto add = [](std::vector<Column>& columns, const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) columns[i % columns.size()].add(values[i]);
  };
  for (Index begin = 0; begin < n; begin += block_rows) {
    const Range rows{begin, std::min(begin + block_rows, n)};
    const SampleBlock block = data.read(rows, prefix);
    add(s.features, block.features);
    if (info.has_answers && !info.classification) add(s.targets, block.targets);
    for (const Index label : block.labels) ++s.class_counts[static_cast<std::size_t>(label)];
  }
  return s;
}

/// "0" or "0 (age)".
std::string named(std::size_t number, const std::vector<std::string>& names) {
  return class_text(static_cast<Index>(number), names);
}

void show_features(std::ostream& out, const DatasetInfo& info, const std::vector<Column>& columns,
                   Index rows) {
  Column all;
  std::vector<std::size_t> constant;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    all.low = std::min(all.low, columns[j].low);
    all.high = std::max(all.high, columns[j].high);
    all.sum += columns[j].sum;
    if (columns[j].low == columns[j].high) constant.push_back(j);
  }
  out << "    min " << all.low << ", max " << all.high << ", mean "
      << all.sum / static_cast<double>(rows) / static_cast<double>(columns.size()) << "\n";
  out << "    constant columns: " << constant.size();
  constexpr std::size_t most = 20;
  for (std::size_t i = 0; i < std::min(constant.size(), most); ++i)
    out << (i == 0 ? " (" : ", ") << named(constant[i], info.input_names);
  out << (constant.empty() ? "" : constant.size() > most ? ", ...)" : ")") << "\n";
}

void show_answers(std::ostream& out, const DatasetInfo& info, const Statistics& s, Index rows) {
  constexpr std::size_t most = 50;
  for (std::size_t k = 0; k < std::min(s.class_counts.size(), most); ++k) {
    const double percent = 100.0 * static_cast<double>(s.class_counts[k]) / static_cast<double>(rows);
    out << "    class " << named(k, info.class_names) << ": " << s.class_counts[k] << ", "
        << brief(percent, 3) << " %\n";
  }
  for (std::size_t k = 0; k < std::min(s.targets.size(), most); ++k)
    out << "    target " << named(k, info.target_names) << ": min " << s.targets[k].low << ", max "
        << s.targets[k].high << ", mean " << s.targets[k].sum / static_cast<double>(rows) << "\n";
  if (std::max(s.class_counts.size(), s.targets.size()) > most) out << "    ...\n";
}

void show_packing(std::ostream& out, const Packing& packing) {
  if (packing.scale_factor != 1.0) out << " x " << packing.scale_factor;
  if (packing.add_offset != 0.0) out << " + " << packing.add_offset;
}

/// Returns the samples of each class; empty for a regression, or if there is no such set.
std::vector<Index> show_set(std::ostream& out, const Dataset& data, const std::string& prefix) {
  const DatasetInfo& info = data.info();
  const SetInfo set = set_info(info, prefix);
  const Index rows = set.samples;
  if (rows == 0) return {};
  const Statistics statistics = scan(data, prefix);
  out << "  /" << prefix << "features [" << rows << ", " << info.inputs << "] " << info.feature_type;
  show_packing(out, set.features);
  out << "\n";
  show_features(out, info, statistics.features, rows);
  if (!info.has_answers) {
    out << "  no labels or targets\n";
  } else if (info.classification) {
    out << "  /" << prefix << "labels [" << rows << "], " << plural(info.outputs, "class") << "\n";
  } else {
    out << "  /" << prefix << "targets [" << rows << ", " << info.outputs << "]";
    show_packing(out, set.answers);
    out << "\n";
  }
  show_answers(out, info, statistics, rows);
  return statistics.class_counts;
}

}  // namespace

std::string describe_source(const DatasetInfo& info) {
  return info.path + "\n  name: " + info.name +
         "\n  source: " + (info.source.empty() ? "not stated" : info.source) +
         "\n  licence: " + (info.license.empty() ? "not stated" : info.license) + "\n";
}

std::string show_dataset(const std::string& path) {
  const Dataset data(MPI_COMM_SELF, path, Missing::refuse, Answers::optional);
  const DatasetInfo& info = data.info();
  std::ostringstream out;
  out << describe_source(info);
  if (!info.input_names.empty()) {
    constexpr std::size_t most = 50;
    out << "  inputs: ";
    for (std::size_t j = 0; j < std::min(info.input_names.size(), most); ++j)
      out << (j == 0 ? "" : ", ") << info.input_names[j];
    out << (info.input_names.size() > most ? ", ...\n" : "\n");
  }
  const std::vector<Index> train = show_set(out, data, "");
  (void)show_set(out, data, "validation_");
  const std::vector<Index> test = show_set(out, data, "test_");
  for (const std::string& warning : class_warnings(train, test, info.class_names))
    out << "  warning: " << warning << "\n";
  return out.str();
}

}  // namespace poise::data
