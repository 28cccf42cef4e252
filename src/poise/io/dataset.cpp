#include "poise/io/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/io/dataset_header.hpp"
#include "poise/io/defect.hpp"
#include "poise/io/hdf5.hpp"
#include "poise/io/hdf5_heaps.hpp"

namespace poise {
inline namespace io {
namespace {

H5File open_for(MPI_Comm comm, const std::string& path) {
  return size_of(comm) == 1 ? H5File::open_alone(path) : H5File::open(comm, path);
}

/// Only a warning: people change names and attributes of their data by h5py.
void warn_of_changed_texts(MPI_Comm comm, const H5File& file) {
  if (file.has_sealed_texts()) return;
  warn(comm, fmt::format("data file '{}': its texts (names, attributes) have changed since Poise wrote it: "
                         "another program has changed them, or the file is damaged; if you changed them, "
                         "delete the attribute '{}' of the root group",
                         file.path(), heaps_attribute));
}

/// The first stored number that means a missing value.
Defect find_missing(const std::string& name, const Packing& packing, const std::vector<double>& stored,
                    Index width, Index begin, const std::string& cure) {
  if (!packing.has_missing()) return {};
  for (std::size_t place = 0; place < stored.size(); ++place) {
    const std::string why = packing.why_missing(stored[place]);
    if (why.empty()) continue;
    const Index row = begin + static_cast<Index>(place) / width;
    return {row,
            fmt::format("{}: row {}, column {} holds {}, which {}: the value is missing; {} (rows count "
                        "from 0)",
                        name, row, static_cast<Index>(place) % width, to_text(stored[place]), why, cure)};
  }
  return {};
}

Defect find_not_finite(const std::string& name, const std::vector<double>& values, Index width, Index begin,
                       const std::string& cure = "fill in or leave out such rows") {
  const auto bad = std::find_if(values.begin(), values.end(), [](double x) { return !std::isfinite(x); });
  if (bad == values.end()) return {};
  const Index place = bad - values.begin();
  const Index row = begin + place / width;
  return {row, fmt::format("{}: row {}, column {} holds {}; {} (rows count from 0)", name, row, place % width,
                           to_text(*bad), cure)};
}

Defect find_bad_label(const std::string& name, const std::vector<Index>& labels, Index classes, Index begin) {
  const auto bad = std::find_if(labels.begin(), labels.end(),
                                [&](Index c) { return c != missing_label && (c < 0 || c >= classes); });
  if (bad == labels.end()) return {};
  const Index row = begin + (bad - labels.begin());
  return {row, fmt::format("{}: row {} holds the label {}, outside [0, {}); correct it, or the attribute "
                           "'classes' of /labels (rows count from 0)",
                           name, row, *bad, classes)};
}

void set_one_hot(SampleBlock& block) {
  block.targets.assign(static_cast<std::size_t>(block.outputs * block.count), 0.0);
  for (Index i = 0; i < block.count; ++i)
    block.targets[static_cast<std::size_t>(i * block.outputs + block.labels[static_cast<std::size_t>(i)])] =
        1.0;
}

}  // namespace

Dataset::Dataset(MPI_Comm comm, const std::string& path, Missing missing, Answers answers,
                 const std::string& schema)
    : comm_(comm), missing_(missing), schema_(schema) {
  const H5File file = open_for(comm, path);
  warn_of_changed_texts(comm, file);
  const DatasetHeader header = read_dataset_header(file);
  agree(comm, [&] { info_ = validated(header, answers, schema_); });
}

std::string Dataset::cure() const {
  if (schema_ == graph_schema) return "fill it in";
  return "fill it in, or write a copy without such rows: poise-data import -h5 " + info_.path +
         " -drop_missing true -out NEW.h5";
}

std::vector<double> Dataset::read_teacher() const {
  if (!info_.has_teacher) return {};
  std::vector<double> teacher(static_cast<std::size_t>(info_.outputs * info_.inputs));
  const H5File file = open_for(comm_, info_.path);
  file.read_rows("/teacher", {0, info_.outputs}, teacher);
  throw_first(comm_, find_not_finite("data file '" + info_.path + "': /teacher", teacher, info_.inputs, 0));
  return teacher;
}

SetInfo set_info(const DatasetInfo& info, const std::string& prefix) {
  if (prefix == "test_") return {info.test_samples, info.test_features_packing, info.test_answers_packing};
  if (prefix == "validation_")
    return {info.validation_samples, info.validation_features_packing, info.validation_answers_packing};
  return {info.samples, info.features_packing, info.answers_packing};
}

SampleBlock Dataset::read(Range rows, const std::string& prefix) const {
  static const LogEvent event("DataRead");
  const auto scope = event.begin();
  const SetInfo set = set_info(info_, prefix);
  const Index available = set.samples;
  SampleBlock block{rows.begin, rows.size(), info_.inputs, info_.outputs, {}, {}, {}};
  agree(comm_, [&] {
    if (rows.begin < 0 || rows.end < rows.begin || rows.end > available)
      throw bad_input(fmt::format("data file '{}': rows [{}, {}) asked of /{}features, which has {}",
                                  info_.path, rows.begin, rows.end, prefix, available));
    block.features.resize(static_cast<std::size_t>(block.inputs * block.count));
    block.targets.resize(static_cast<std::size_t>(block.outputs * block.count));
    if (info_.classification) block.labels.resize(static_cast<std::size_t>(block.count));
  });
  if (available == 0) return block;

  const H5File file = open_for(comm_, info_.path);
  read_numbers(file, rows, "/" + prefix + "features", set.features, block.inputs, missing_ == Missing::keep,
               block.features);
  if (!info_.has_answers) return block;
  if (!info_.classification) {
    read_numbers(file, rows, "/" + prefix + "targets", set.answers, block.outputs, keeps_answers(),
                 block.targets);
    return block;
  }
  read_labels(file, rows, "/" + prefix + "labels", set.answers, block);
  if (!keeps_answers()) set_one_hot(block);
  return block;
}

std::vector<Index> Dataset::read_train_labels(Range rows) const {
  if (!info_.classification) return {};
  SampleBlock block{.begin = rows.begin, .count = rows.size(), .outputs = info_.outputs};
  agree(comm_, [&] { block.labels.resize(static_cast<std::size_t>(block.count)); });
  read_labels(open_for(comm_, info_.path), rows, "/labels", info_.answers_packing, block);
  return std::move(block.labels);
}

void Dataset::read_numbers(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                           Index columns, bool keep, std::vector<double>& values) const {
  const std::string where = "data file '" + info_.path + "': " + name;
  file.read_rows(name, rows, values);
  if (!keep) throw_first(comm_, find_missing(where, packing, values, columns, rows.begin, cure()));
  for (double& value : values) value = packing.unpacked(value);
  if (!keep)
    throw_first(comm_, find_not_finite(packing.scales() ? where + " x scale_factor + add_offset" : where,
                                       values, columns, rows.begin, cure()));
}

void Dataset::read_labels(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                          SampleBlock& block) const {
  const std::string where = "data file '" + info_.path + "': " + name;
  std::vector<double> stored(static_cast<std::size_t>(block.count));
  file.read_rows(name, rows, stored);  // integers beyond 2^53 are not valid classes, so doubles suffice
  if (!keeps_answers()) throw_first(comm_, find_missing(where, packing, stored, 1, rows.begin, cure()));
  Defect broken;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const double label = packing.unpacked(stored[i]);
    const bool missing = keeps_answers() && std::isnan(label);
    if (!missing && !(std::floor(label) == label && std::abs(label) < 0x1p53)) {
      broken = {
          rows.begin + static_cast<Index>(i),
          fmt::format("{}: row {} holds the label {}, which is no whole number; store the classes as 0, "
                      "1, 2, ..., or the numbers as /targets (rows count from 0)",
                      where, rows.begin + static_cast<Index>(i), to_text(label))};
      break;
    }
    block.labels[i] = missing ? missing_label : static_cast<Index>(label);
  }
  throw_first(comm_, broken);
  throw_first(comm_, find_bad_label(where, block.labels, info_.outputs, rows.begin));
}

namespace {

/// "class 3 has", "classes 1, 2 and 4 have"; long lists are shortened.
std::string subject(const std::vector<Index>& classes, const std::vector<std::string>& names) {
  constexpr std::size_t most = 10;
  if (classes.size() == 1) return "class " + class_text(classes[0], names) + " has";
  std::string text = "classes ";
  for (std::size_t k = 0; k < classes.size() && k < most; ++k) {
    const bool last = k + 1 == classes.size();
    text += (k == 0 ? "" : last ? " and " : ", ") + class_text(classes[k], names);
  }
  if (classes.size() > most) text += fmt::format(" and {} more", classes.size() - most);
  return text + " have";
}

}  // namespace

std::string class_text(Index number, const std::vector<std::string>& names) {
  const std::string text = std::to_string(number);
  const auto place = static_cast<std::size_t>(number);
  return place < names.size() && names[place] != text ? text + " (" + names[place] + ")" : text;
}

std::vector<std::string> class_warnings(const std::vector<Index>& train, const std::vector<Index>& test,
                                        const std::vector<std::string>& names) {
  std::vector<Index> nowhere, only_test, only_train;
  for (std::size_t c = 0; c < train.size(); ++c) {
    const bool tested = !test.empty() && test[c] > 0;
    if (train[c] == 0) (tested ? only_test : nowhere).push_back(static_cast<Index>(c));
    if (train[c] > 0 && !test.empty() && !tested) only_train.push_back(static_cast<Index>(c));
  }
  std::vector<std::string> warnings;
  if (nowhere == std::vector<Index>{0})
    warnings.push_back(
        subject(nowhere, names) +
        " no sample: do the labels start at 1? (poise-data import -map_labels true numbers the "
        "classes that there are)");
  else if (!nowhere.empty())
    warnings.push_back(
        subject(nowhere, names) +
        " no sample: are the labels class numbers? (poise-data import -map_labels true numbers "
        "the classes that there are)");
  constexpr Index few = 10;  // so few samples may well be one per class
  const Index samples = std::accumulate(train.begin(), train.end(), Index{0});
  if (samples > few && *std::max_element(train.begin(), train.end()) == 1)
    warnings.push_back(
        "no class has more than one training sample: is the label an identifier, or a number to be "
        "predicted?");
  if (std::count_if(train.begin(), train.end(), [](Index count) { return count > 0; }) == 1)
    warnings.push_back(
        "all training samples have the same class, so there is nothing to learn; are the labels somewhere "
        "else?");
  const std::string sorted =
      ": is the file sorted by class? Shuffle it, or draw the test set (poise-data import -test_fraction)";
  if (!only_test.empty())
    warnings.push_back(subject(only_test, names) + " test samples but no training sample" + sorted);
  if (!only_train.empty())
    warnings.push_back(subject(only_train, names) + " training samples but no test sample" +
                       (only_test.empty() ? sorted : ""));
  return warnings;
}

}  // namespace io
}  // namespace poise
