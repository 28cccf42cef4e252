#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/import/npy.hpp"
#include "poise_data/poise_data.hpp"
#include "poise_data/sample_sources.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

/// One set of samples as arrays: features, and targets or labels.
struct Arrays {
  std::optional<NpyMatrix> features, targets, labels;
};

void require_finite(const NpyMatrix& matrix) {
  for (std::size_t i = 0; i < matrix.values.size(); ++i)
    if (!std::isfinite(matrix.values[i]))
      throw bad_input(fmt::format("{}: row {} (from 0) holds {}: fill it in or leave the row out",
                                  matrix.path, i / static_cast<std::size_t>(matrix.columns),
                                  to_text(matrix.values[i])));
}

void require_numbers(const NpyMatrix& matrix) {
  if (!matrix.texts.empty()) throw bad_input(matrix.path + ": holds texts; numbers are needed here");
}

void require_rows(const NpyMatrix& answers, const NpyMatrix& features) {
  if (answers.rows != features.rows)
    throw bad_input(fmt::format("{}: has {} rows, {} has {}: both need one row per sample", answers.path,
                                answers.rows, features.path, features.rows));
}

RawLabels raw_labels(const NpyMatrix& answers, bool may_miss) {
  if (!may_miss) require_finite(answers);
  if (answers.columns != 1)
    throw bad_input(fmt::format(
        "{}: has {} columns; labels need one (numpy.argmax(array, axis=1) makes them from one-hot rows)",
        answers.path, answers.columns));
  RawLabels raw;
  for (Index row = 0; row < answers.rows; ++row) {
    const auto i = static_cast<std::size_t>(row);
    raw.texts.push_back(answers.texts.empty() ? to_text(answers.values[i]) : answers.texts[i]);
    raw.where.push_back(fmt::format("{}: row {} (from 0)", answers.path, row));
  }
  return raw;
}

SampleBlock block_of(Arrays& arrays, bool may_miss = false) {
  SampleBlock block;
  if (arrays.features) {
    require_numbers(*arrays.features);
    require_finite(*arrays.features);
    block.count = arrays.features->rows;
    block.inputs = arrays.features->columns;
    block.features = std::move(arrays.features->values);
  }
  for (const std::optional<NpyMatrix>* answers : {&arrays.labels, &arrays.targets}) {
    if (!*answers) continue;
    if (arrays.features) require_rows(**answers, *arrays.features);
    block.count = (*answers)->rows;
  }
  if (!arrays.targets) return block;
  require_numbers(*arrays.targets);
  if (!may_miss) require_finite(*arrays.targets);
  block.outputs = arrays.targets->columns;
  block.targets = std::move(arrays.targets->values);
  return block;
}

DatasetContent content_of(Arrays train, Arrays test, const LabelOptions& labels) {
  DatasetContent content;
  content.train = block_of(train, labels.may_miss);
  if (test.features) {
    content.test = block_of(test);
    if (content.test.inputs != content.train.inputs)
      throw bad_input(fmt::format("{}: has {} columns, {} has {}: both need the same features",
                                  test.features->path, content.test.inputs, train.features->path,
                                  content.train.inputs));
    if (test.labels.has_value() != train.labels.has_value() || content.test.outputs != content.train.outputs)
      throw bad_input(test.features->path +
                      ": the test set needs as many targets as the training set, or "
                      "labels where it has labels");
  }
  if (train.labels)
    number_labels(raw_labels(*train.labels, labels.may_miss),
                  test.labels ? raw_labels(*test.labels, labels.may_miss) : RawLabels{}, labels, content);
  return content;
}

std::optional<NpyMatrix> read_if_given(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return read_npy(path);
}

Arrays arrays_of(const ArrayOptions& o) {
  return {read_if_given(o.features), read_if_given(o.targets), read_if_given(o.labels)};
}

/// Warns if answers that are taken for targets, because their type is real, look like classes.
void warn_of_classes_as_targets(const NpyMatrix& answers) {
  constexpr std::size_t most_different = 20;
  const auto may_be_class = [](double value) { return value >= 0.0 && std::floor(value) == value; };
  if (answers.columns != 1 || !std::all_of(answers.values.begin(), answers.values.end(), may_be_class))
    return;
  const std::set<double> different(answers.values.begin(), answers.values.end());
  if (different.size() <= most_different)
    warn(fmt::format(
        "{}: has whole numbers only, {} different ones, and is taken for a target: are these classes? Name "
        "the array by -npz_labels then, else by -npz_targets",
        answers.path, different.size()));
}

/// The array of this name, or the first of the usual ones that the file has.
std::optional<NpyMatrix> find_array(const NpzFile& file, const std::string& name,
                                    std::initializer_list<const char*> usual) {
  if (!name.empty()) return file.read(name);
  for (const char* candidate : usual)
    if (file.has(candidate)) return file.read(candidate);
  return std::nullopt;
}

}  // namespace

ArrayOptions declare_arrays(Options& options, bool of_nodes) {
  const Options::Category category(options, "npy");
  ArrayOptions o;
  o.features = options.text("npy_features", "",
                            "NPY array of the features, plain or .gz; its first index is the sample");
  o.targets = options.text("npy_targets", "", "NPY array of the regression targets");
  o.labels = options.text("npy_labels", "", "NPY array of the classes, integers from 0 on, or texts");
  o.unlabelled = declare_unlabelled(options);
  o.of_labels = LabelOptions::from(options);
  o.of_labels.may_miss = of_nodes;
  return o;
}

void validate(const ArrayOptions& o) {
  if (o.unlabelled && !(o.targets + o.labels).empty())
    throw bad_input("-unlabelled true: leave out -npy_targets and -npy_labels");
  if (!o.unlabelled && o.targets.empty() == o.labels.empty())
    throw bad_input(
        "with -npy_features give one of -npy_targets and -npy_labels, or -unlabelled true for features "
        "alone");
}

DatasetContent read_samples(const ArrayOptions& o) {
  return content_of(arrays_of(o), {}, o.of_labels);
}

DatasetInfo import_npy(Options& options, bool declare_only) {
  const ArrayOptions arrays = declare_arrays(options);
  const Options::Category category(options, "npy");
  const std::string test_features = options.text("npy_test_features", "", "NPY array of the test samples");
  const std::string test_targets =
      options.text("npy_test_targets", "", "NPY array of the targets of -npy_test_features");
  const std::string test_labels =
      options.text("npy_test_labels", "", "NPY array of the classes of -npy_test_features");
  const TestSplit split = declare_test_split(options);
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(arrays);
  const bool classes = !arrays.labels.empty();
  const std::string& wanted = classes ? test_labels : test_targets;
  const std::string& other = classes ? test_targets : test_labels;
  if ((!arrays.unlabelled && test_features.empty() != wanted.empty()) || !other.empty())
    throw bad_input(std::string("give -npy_test_features and ") +
                    (classes ? "-npy_test_labels" : "-npy_test_targets") + " together, or none of them");
  require_output(output);
  Arrays test{read_if_given(test_features), read_if_given(test_targets), read_if_given(test_labels)};
  return write_split(content_of(arrays_of(arrays), std::move(test), arrays.of_labels), split, output);
}

DatasetInfo import_npz(Options& options, bool declare_only) {
  const Options::Category category(options, "npz");
  const std::string path = options.text("npz", "", "NPZ file of numpy.savez, with one row per sample");
  const auto name = [&](const std::string& option, const std::string& what) {
    return options.text(
        option, "",
        "name of the array of the " + what + "; if empty: the first of the usual names in the file");
  };
  const std::string features = name("npz_features", "features (x_train, X_train, X, x, features, data)");
  const std::string targets = name("npz_targets", "regression targets (y_train, y, targets of real type)");
  const std::string labels =
      name("npz_labels", "classes (y_train, y, labels, target of whole type or texts)");
  const std::string test_features = name("npz_test_features", "test features (x_test, X_test)");
  const std::string test_answers = name("npz_test_answers", "test targets or classes (y_test)");
  const bool unlabelled = declare_unlabelled(options);
  const LabelOptions of_labels = LabelOptions::from(options);
  const TestSplit split = declare_test_split(options);
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  if (unlabelled && !(targets + labels + test_answers).empty())
    throw bad_input("-unlabelled true: leave out -npz_targets, -npz_labels and -npz_test_answers");
  if (!targets.empty() && !labels.empty()) throw bad_input("give one of -npz_targets and -npz_labels");
  require_output(output);
  const NpzFile file(path);
  Arrays train, test;
  train.features = find_array(file, features, {"x_train", "X_train", "X", "x", "features", "data"});
  test.features = find_array(file, test_features, {"x_test", "X_test", "test_features"});
  if (unlabelled && train.features)
    return write_split(content_of(std::move(train), std::move(test), of_labels), split, output);
  auto answers = find_array(file, labels.empty() ? targets : labels,
                            {"y_train", "Y_train", "y", "Y", "labels", "targets", "target"});
  if (!train.features || !answers)
    throw bad_input(path +
                    ": which arrays are the features and the targets or classes? Name them by "
                    "-npz_features and -npz_targets or -npz_labels");
  auto test_found = find_array(file, test_answers, {"y_test", "Y_test", "test_labels", "test_targets"});
  if (test.features.has_value() != test_found.has_value())
    throw bad_input(path +
                    ": the test set lacks its features or its targets or classes; name them by "
                    "-npz_test_features and -npz_test_answers");
  const bool classes = !labels.empty() || (targets.empty() && (answers->whole || !answers->texts.empty()));
  if (!classes && targets.empty()) warn_of_classes_as_targets(*answers);
  (classes ? train.labels : train.targets) = std::move(answers);
  (classes ? test.labels : test.targets) = std::move(test_found);
  return write_split(content_of(std::move(train), std::move(test), of_labels), split, output);
}

}  // namespace poise::data
