#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/dataset_writer.hpp"

namespace poise::data {

/// What users say of the classes.
struct LabelOptions {
  Index classes = 0;  ///< -classes; 0: the largest label + 1
  bool map = false;   ///< -map_labels: number the different labels 0, 1, 2, … in their order

  /// Declares and reads the options. Not collective.
  static LabelOptions from(Options& options);
};

/// The labels of one file as they were written.
struct RawLabels {
  std::vector<std::string> texts;
  std::vector<std::string> where;  ///< of each: where it stands, for messages
};

/// The labels of the training and, if any, the test file as class numbers into train.labels and test.labels,
/// and outputs, the number of classes. Labels that are words become numbers in their sorted order, as numbers
/// do with -map_labels; `names` of the classes are then what was written. Other labels must be whole numbers
/// from 0 on, and not many more than there are different ones: those are identifiers. Throws bad_input.
void number_labels(const RawLabels& train, const RawLabels& test, const LabelOptions& options,
                   DatasetContent& content);

/// Warns on stderr of classes without samples (class_warnings). Not collective.
void warn_of_classes(const DatasetContent& content);

}  // namespace poise::data
