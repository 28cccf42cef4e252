#include "poise/predict/new_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "poise/base/check.hpp"
#include "poise/base/options.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace predict {

std::vector<Index> match_names(const std::vector<std::string>& wanted, const std::vector<std::string>& names,
                               const std::string& where, const std::string& what) {
  if (wanted == names) return indices({0, static_cast<Index>(names.size())});
  std::unordered_map<std::string, std::vector<Index>> known;
  for (std::size_t k = 0; k < names.size(); ++k) known[names[k]].push_back(static_cast<Index>(k));
  std::unordered_set<std::string> seen;
  std::vector<Index> found;
  for (const std::string& name : wanted) {
    const auto place = known.find(name);
    if (place == known.end()) {
      const std::string near = nearest_name(name, names);
      throw usage(fmt::format("{} has no {} '{}', which the network was trained on{}", where, what, name,
                              near.empty() ? "" : fmt::format(" (the nearest name is '{}')", near)));
    }
    if (place->second.size() > 1 || !seen.insert(name).second)
      throw usage(
          fmt::format("{}: there are two with the name '{}' ({}), so that names cannot tell them apart: give "
                      "them different names, or the same names in the same order",
                      where, name, what));
    found.push_back(place->second.front());
  }
  return found;
}

namespace {

const char* prefix(NewSampleReader::Set set) {
  switch (set) {
    case NewSampleReader::Set::test:
      return "test_";
    case NewSampleReader::Set::validation:
      return "validation_";
    case NewSampleReader::Set::nodes:
    case NewSampleReader::Set::train:
      break;
  }
  return "";
}

}  // namespace

Index NewSampleReader::samples() const {
  if (set_ == Set::test) return info().test_samples;
  return set_ == Set::validation ? info().validation_samples : info().samples;
}

NewSampleReader::NewSampleReader(MPI_Comm comm, const std::string& path, Set set, const NetworkSides& network,
                                 BadRows bad_rows, const std::string& shown)
    : comm_(comm),
      dataset_(comm, path, Missing::keep, Answers::optional, set == Set::nodes ? graph_schema : data_schema),
      set_(set),
      bad_rows_(bad_rows),
      name_(shown.empty() ? path : shown) {
  if (samples() == 0)
    throw usage(fmt::format("data file '{}' has no /{}features: leave -set out to use its /features", name_,
                            prefix(set)));
  match_columns(network.names, network.inputs);
  if (has_answers()) match_classes(network);
}

void NewSampleReader::match_columns(const DataNames& network, Index inputs) {
  const std::string where = "data file '" + name_ + "'";
  by_name_ = !network.inputs.empty() && !info().input_names.empty();
  if (!by_name_ && info().inputs != inputs)
    throw usage(fmt::format("{} has {} columns of features, but the network was trained on {}", where,
                            info().inputs, inputs));
  columns_ = by_name_ ? match_names(network.inputs, info().input_names, where, "column of features named")
                      : indices({0, inputs});
}

void NewSampleReader::match_classes(const NetworkSides& sides) {
  const DataNames& network = sides.names;
  const std::string where = "data file '" + name_ + "'";
  if (!info().classification) {
    if (sides.classes > 0 && sides.outputs > 1)
      throw usage(where +
                  " has /targets, but the network was trained on classes: store the classes as /labels, or "
                  "leave the targets out");
    if (info().outputs != sides.outputs)
      throw usage(fmt::format("{} has {} columns of targets, but the network has {} outputs", where,
                              info().outputs, sides.outputs));
    if (!network.targets.empty() && !info().target_names.empty() && network.targets != info().target_names)
      throw usage(where +
                  ": the names in /target_names differ from the names of the targets that the network was "
                  "trained on, or have a different order");
    return;
  }
  if (sides.classes == 0)
    throw usage(where + " has /labels, but " +
                (network.known
                     ? "the network was trained on /targets: store the numbers as /targets, or leave "
                       "the labels out"
                     : "the checkpoint of an older version does not say which classes the network "
                       "was trained on: leave the labels out"));
  if (!network.classes.empty() && !info().class_names.empty()) {
    classes_ = match_names(info().class_names, network.classes, "the network", "class named");
    return;
  }
  if (info().outputs > sides.classes)
    throw usage(fmt::format("{} has {} classes, but the network was trained on {}", where, info().outputs,
                            sides.classes));
  classes_ = indices({0, info().outputs});
}

std::string NewSampleReader::matching() const {
  return fmt::format("{} of {} columns, by {}", columns_.size(), info().inputs, by_name_ ? "name" : "place");
}

NewSamples NewSampleReader::read(Range rows) const {
  const SampleBlock block = set_ == Set::test         ? dataset_.read_test(rows)
                            : set_ == Set::validation ? dataset_.read_validation(rows)
                                                      : dataset_.read_train(rows);
  NewSamples samples{.begin = block.begin, .count = block.count};
  const auto inputs = static_cast<Index>(columns_.size());
  samples.inputs.resize(static_cast<std::size_t>(inputs * block.count));
  samples.usable.assign(static_cast<std::size_t>(block.count), 1);
  for (Index i = 0; i < block.count; ++i) {
    const double* from = block.features.data() + i * block.inputs;
    double* to = samples.inputs.data() + i * inputs;
    for (Index j = 0; j < inputs; ++j) to[j] = from[columns_[j]];
    if (std::all_of(to, to + inputs, [](double x) { return std::isfinite(x); })) continue;
    samples.usable[i] = 0;
    std::fill_n(to, inputs, 0.0);
  }
  if (bad_rows_ == BadRows::refuse) require_usable(block, samples);
  take_answers(block, samples);
  return samples;
}

// All ranks agree on the first bad entry of the file, row x columns + column, which is all that the message
// needs.
void NewSampleReader::require_usable(const SampleBlock& block, const NewSamples& samples) const {
  constexpr Index none = std::numeric_limits<Index>::max();
  Index first = none;
  const auto bad = std::find(samples.usable.begin(), samples.usable.end(), 0);
  if (bad != samples.usable.end()) {
    const Index i = bad - samples.usable.begin();
    for (const Index column : columns_)
      if (!std::isfinite(block.features[i * block.inputs + column]))
        first = std::min(first, (block.begin + i) * block.inputs + column);
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT64_T, MPI_MIN, comm_));
  if (first == none) return;
  const Index column = first % info().inputs;
  throw usage(
      fmt::format("data file '{}': /{}features: row {}, column {}{} is missing or not finite (rows and "
                  "columns count from 0): fill it "
                  "in, or give -skip_bad_rows true to leave out such rows",
                  name_, prefix(set_), first / info().inputs, column,
                  info().input_names.empty() ? "" : " (" + info().input_names[column] + ")"));
}

void NewSampleReader::take_answers(const SampleBlock& block, NewSamples& samples) const {
  samples.answered.assign(static_cast<std::size_t>(block.count), 0);
  if (!has_answers()) return;
  if (info().classification) {
    for (Index i = 0; i < block.count; ++i) {
      samples.answered[i] = static_cast<char>(block.labels[i] != missing_label);
      samples.labels.push_back(samples.answered[i] != 0 ? classes_[block.labels[i]] : 0);
    }
    return;
  }
  samples.targets = block.targets;
  const Index q = block.outputs;
  for (Index i = 0; i < block.count; ++i)
    samples.answered[i] =
        static_cast<char>(std::all_of(block.targets.begin() + i * q, block.targets.begin() + (i + 1) * q,
                                      [](double y) { return std::isfinite(y); }));
}

}  // namespace predict
}  // namespace poise
