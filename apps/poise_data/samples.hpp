#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/dataset_writer.hpp"

namespace poise {

/// The samples held out for the test.
struct TestSplit {
  Index rows = 0;         ///< -test_rows: the last rows of the file
  double fraction = 0.0;  ///< -test_fraction: this share of the rows, drawn with -seed
  std::uint64_t seed = 0;
};

/// Declares -test_rows -test_fraction -seed; throws bad_input if both of the first are given. Not collective.
[[nodiscard]] TestSplit declare_test_split(Options& options);

/// Which of `rows` rows the split holds out. A drawn test set has round(fraction x rows) rows and depends on
/// the seed and the number of rows only. Throws bad_input if no row is left for training.
[[nodiscard]] std::vector<bool> choose_test_rows(Index rows, const TestSplit& split);

/// Cuts `all` into training and test samples; each keeps the order of the file.
[[nodiscard]] DatasetContent split_samples(const SampleBlock& all, const TestSplit& split);

/// Declares -classes; 0 if not given. Not collective.
[[nodiscard]] Index declare_classes(Options& options);

/// `value` as a label; throws bad_input, which names `where`, unless it is an integer in [0, classes), or in
/// [0, most_classes) if `classes` is 0, that is unknown.
[[nodiscard]] Index to_label(double value, Index classes, const std::string& where);

/// The largest label + 1. `labels` is not empty.
[[nodiscard]] Index count_classes(const std::vector<Index>& labels);

}  // namespace poise
