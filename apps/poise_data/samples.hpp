#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/dataset_writer.hpp"

namespace poise::data {

/// The samples held out for the test.
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

/// Which of `rows` rows the split holds out. A drawn test set has round(fraction x rows) rows, of each class
/// round(fraction x its rows) up to one, and depends on the seed, the number of rows and, if stratified, the
/// labels only. `labels`: empty for a regression. Throws bad_input if no row is left for training.
[[nodiscard]] std::vector<bool> choose_test_rows(Index rows, const std::vector<Index>& labels,
                                                 const TestSplit& split);

/// Moves the rows that the split chooses from content.train to content.test; each keeps the order of the
/// file.
void split_samples(DatasetContent& content, const TestSplit& split);

}  // namespace poise::data
