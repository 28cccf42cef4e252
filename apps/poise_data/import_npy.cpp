#include <cmath>

#include "poise/base/error.hpp"
#include "poise_data/import.hpp"
#include "poise_data/npy.hpp"
#include "poise_data/output.hpp"
#include "poise_data/samples.hpp"

namespace poise {
namespace {

struct NpyOptions {
  std::string features, targets, labels;
  Index classes = 0;
  TestSplit split;
  Output output;
};

NpyOptions declare(Options& options) {
  NpyOptions o;
  o.features = options.text("npy_features", "", "NPY array, plain or .gz, its first index the sample");
  o.targets = options.text("npy_targets", "", "NPY array of the regression targets");
  o.labels = options.text("npy_labels", "", "NPY array of the classes, integers from 0 on");
  o.classes = declare_classes(options);
  o.split = declare_test_split(options);
  o.output = declare_output(options);
  return o;
}

void require_finite(const NpyMatrix& matrix) {
  for (std::size_t i = 0; i < matrix.values.size(); ++i)
    if (!std::isfinite(matrix.values[i]))
      throw bad_input(matrix.path + ": row " + std::to_string(i / static_cast<std::size_t>(matrix.columns)) +
                      " (from 0) holds " + to_text(matrix.values[i]) + ": fill it in or leave the row out");
}

/// The rows of targets or labels; throws unless there are as many as samples.
NpyMatrix read_answers(const std::string& path, const NpyMatrix& features) {
  NpyMatrix answers = read_npy(path);
  if (answers.rows != features.rows)
    throw bad_input(path + ": has " + std::to_string(answers.rows) + " rows, " + features.path + " has " +
                    std::to_string(features.rows) + ": both need one row a sample");
  require_finite(answers);
  return answers;
}

void read_labels(const NpyOptions& o, const NpyMatrix& features, SampleBlock& all) {
  const NpyMatrix answers = read_answers(o.labels, features);
  if (answers.columns != 1)
    throw bad_input(o.labels + ": has " + std::to_string(answers.columns) +
                    " columns; labels need one (numpy.argmax(array, axis=1) makes them from one-hot rows)");
  for (std::size_t row = 0; row < answers.values.size(); ++row)
    all.labels.push_back(
        to_label(answers.values[row], o.classes, o.labels + ": row " + std::to_string(row) + " (from 0)"));
  all.outputs = o.classes > 0 ? o.classes : count_classes(all.labels);
}

}  // namespace

DatasetInfo import_npy(Options& options, bool declare_only) {
  const NpyOptions o = declare(options);
  if (declare_only) return {};
  options.reject_unknown();
  if (o.targets.empty() == o.labels.empty())
    throw bad_input("give one of -npy_targets and -npy_labels with -npy_features");
  require_output(o.output);

  NpyMatrix features = read_npy(o.features);
  require_finite(features);
  SampleBlock all;
  if (!o.labels.empty()) {
    read_labels(o, features, all);
  } else {
    NpyMatrix targets = read_answers(o.targets, features);
    all.outputs = targets.columns;
    all.targets = std::move(targets.values);
  }
  all.count = features.rows;
  all.inputs = features.columns;
  all.features = std::move(features.values);
  return write_split(all, o.split, o.output);
}

}  // namespace poise
