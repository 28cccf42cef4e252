#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/dataset_writer.hpp"

namespace poise::data {

/// The options of classes.
struct LabelOptions {
  Index classes = 0;  ///< -classes; 0: the largest label + 1
  bool map = false;   ///< -map_labels: number the different labels 0, 1, 2, … in their order
  /// Not an option: a label may be missing, or -1 (of the nodes of a graph); it becomes -1.
  bool may_miss = false;

  /// Declares and reads the options. Not collective.
  static LabelOptions from(Options& options);
};

/// The labels of one file as written in the file.
struct RawLabels {
  std::vector<std::string> texts;
  std::vector<std::string> where;  ///< the place of each label, for messages
};

/// Writes the labels of the training file and, if there is one, the test file as class numbers into
/// train.labels and test.labels, and the number of classes into outputs. Words are numbered in their sorted
/// order, and so are numbers with -map_labels; the class names are then the labels of the file. Without
/// -map_labels, numbers must be whole, not negative, and not much larger than the number of different labels,
/// else they are identifiers. Throws bad_input.
void number_labels(const RawLabels& train, const RawLabels& test, const LabelOptions& options,
                   DatasetContent& content);

/// Warns on stderr of classes without samples (class_warnings). Not collective.
void warn_of_classes(const DatasetContent& content);

/// The samples that become the test set.
struct TestSplit {
  Index rows = 0;         ///< -test_rows: the last rows of the file
  double fraction = 0.0;  ///< -test_fraction: this share of the rows, drawn with -seed
  bool stratify = true;   ///< -stratify: the share of every class
  std::uint64_t seed = 0;
  [[nodiscard]] bool is_given() const { return rows > 0 || fraction > 0.0; }
};

/// Declares -test_rows -test_fraction -stratify -seed; throws bad_input if both of the first are given. Not
/// collective.
[[nodiscard]] TestSplit declare_test_split(Options& options);

/// Which of `rows` rows become test rows. A drawn test set has round(fraction x rows) rows, of each class
/// round(fraction x its rows) up to one, and depends on the seed, the number of rows and, if stratified, the
/// labels only. `labels`: empty for a regression. Throws bad_input if no row is left for training.
[[nodiscard]] std::vector<bool> choose_test_rows(Index rows, const std::vector<Index>& labels,
                                                 const TestSplit& split);

/// Moves the rows that the split chooses from content.train to content.test; each keeps the order of the
/// file.
void split_samples(DatasetContent& content, const TestSplit& split);

/// The file of a new data set, and its description.
struct Output {
  std::string path;  ///< -out
  std::string name, source, license;
  bool force = false;  ///< -force: replace an existing file
};

/// Declares -out -force -name -source -license. Not collective.
[[nodiscard]] Output declare_output(Options& options);

/// Throws bad_input if -out or its folder is missing, or if the file exists and -force is not set. Not
/// collective; call it before the work begins.
void require_output(const Output& output);

/// Splits the samples into training and test samples, unless test samples are given; warns of classes without
/// samples; writes the file -out. Throws bad_input if both test samples and a split are given. Not
/// collective.
[[nodiscard]] DatasetInfo write_split(DatasetContent content, const TestSplit& split, const Output& output);

/// Declares -unlabelled. Not collective.
[[nodiscard]] bool declare_unlabelled(Options& options);

/// One line about the file that was written.
[[nodiscard]] std::string summary_of(const DatasetInfo& info);

}  // namespace poise::data
