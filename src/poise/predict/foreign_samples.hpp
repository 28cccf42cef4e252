#pragma once

#include <string>

#include "poise/base/options.hpp"
#include "poise/import/csv.hpp"
#include "poise/predict/new_samples.hpp"

namespace poise {
inline namespace predict {

/// New samples that are no data file: a text table (-csv), or NPY arrays (-npy_features).
struct ForeignSamples {
  std::string csv, label_column, target_columns, drop_columns;
  data::CsvFormat format;
  std::string npy_features, npy_labels, npy_targets;

  /// Declares and reads the options. Throws bad_input for those that do not go together. Not collective.
  static ForeignSamples from(Options& options);
  [[nodiscard]] bool are_given() const { return !path().empty(); }
  /// The file of the features; empty if none is given.
  [[nodiscard]] const std::string& path() const { return csv.empty() ? npy_features : csv; }

  /// Not collective: only the calling rank works. Copies the samples block by block to a data file with the
  /// name `path`, which NewSampleReader then reads. Of a table it takes only the columns that the network was
  /// trained on, if both have names. Labels become the network's numbers of the classes, by their names if
  /// the classes have names. A missing label or target is kept as missing. Throws bad_input that names line
  /// and column, or row, of what cannot be used.
  void copy_to(const std::string& path, const NetworkSides& network, NewSampleReader::BadRows bad_rows) const;
};

}  // namespace predict
}  // namespace poise
